// The text of one event, as logfmt (`key=value`, quoted where needed) or as one JSON object.

internal import Glibc

/// Builds one line of the log.
struct LogLine {
    private let format: LogFormat
    private var bytes: [UInt8] = []

    init(format: LogFormat) {
        self.format = format
        bytes.reserveCapacity(256)
    }

    mutating func append(_ key: String, _ value: LogValue) {
        switch format {
        case .logfmt:
            if !bytes.isEmpty { bytes.append(UInt8(ascii: " ")) }
            bytes += key.utf8
            bytes.append(UInt8(ascii: "="))
            appendValue(value, quotesText: { $0.isEmpty || $0.utf8.contains(where: needsQuotes) })
        case .json:
            bytes.append(UInt8(ascii: bytes.isEmpty ? "{" : ","))
            appendQuoted(key)
            bytes.append(UInt8(ascii: ":"))
            appendValue(value, quotesText: { _ in true })
        }
    }

    /// The line with its newline.
    consuming func finished() -> [UInt8] {
        if format == .json { bytes.append(UInt8(ascii: "}")) }
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }

    private mutating func appendValue(_ value: LogValue, quotesText: (String) -> Bool) {
        switch value {
        case .string(let text) where quotesText(text): appendQuoted(text)
        case .string(let text): bytes += text.utf8
        case .integer(let number): bytes += String(number).utf8
        // JSON has no word for what is not a number.
        case .double(let number) where !number.isFinite: appendQuoted(String(number))
        case .double(let number): bytes += String(number).utf8
        case .boolean(let flag): bytes += String(flag).utf8
        }
    }

    /// JSON's escapes; logfmt readers take the same.
    private mutating func appendQuoted(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case UInt8(ascii: "\n"): bytes += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
            case UInt8(ascii: "\t"): bytes += [UInt8(ascii: "\\"), UInt8(ascii: "t")]
            case UInt8(ascii: "\r"): bytes += [UInt8(ascii: "\\"), UInt8(ascii: "r")]
            case 0..<0x20:
                let hex = String(byte, radix: 16)
                bytes += "\\u00\(hex.utf8.count == 1 ? "0" : "")\(hex)".utf8
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

private func needsQuotes(_ byte: UInt8) -> Bool {
    byte <= UInt8(ascii: " ") || byte == UInt8(ascii: "=") || byte == UInt8(ascii: "\"")
        || byte == UInt8(ascii: "\\") || byte == 0x7F
}

/// `2024-01-01T08:18:00.250Z`, UTC, for milliseconds since the epoch.
package func utcText(millis: Int64) -> String {
    var seconds = time_t(millis >= 0 ? millis / 1000 : (millis - 999) / 1000)
    let rest = Int(millis - Int64(seconds) * 1000)
    var parts = unsafe tm()
    unsafe gmtime_r(&seconds, &parts)
    var text = [CChar](repeating: 0, count: 32)
    let count = unsafe strftime(&text, text.count, "%04Y-%m-%dT%H:%M:%S.", &parts)
    // Three digits: a thousand and the rest, without the one in front.
    return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        + String(1000 + rest).dropFirst() + "Z"
}
