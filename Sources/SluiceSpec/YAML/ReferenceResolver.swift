// `${env:NAME}`, `${file:path}` and their kin. They are resolved inside scalars after YAML has been parsed, so a value
// can never change the structure of a spec, and a secret is known as one from the moment it enters.

/// Why a file could not be read, in the words for a diagnostic, such as "No such file or directory".
package struct UnreadableFile: Error, Hashable, Sendable {
    package var reason: String

    package init(reason: String) {
        self.reason = reason
    }
}

final class ReferenceResolver {
    private let environment: (String) -> String?
    private let readSecretFile: (String) -> Result<[UInt8], UnreadableFile>
    private let diagnostics: DiagnosticCollector
    private var secretFiles: [String: Result<[UInt8], UnreadableFile>] = [:]
    /// Every secret value that was read, for masking.
    private(set) var secrets: Set<String> = []

    init(
        environment: @escaping (String) -> String?,
        readSecretFile: @escaping (String) -> Result<[UInt8], UnreadableFile>, diagnostics: DiagnosticCollector
    ) {
        self.environment = environment
        self.readSecretFile = readSecretFile
        self.diagnostics = diagnostics
    }

    /// The scalar with its references replaced; `.invalid` when one of them could not be.
    func resolve(_ scalar: YAMLScalar) -> YAMLNode.Kind {
        let text = Array(scalar.text.unicodeScalars)
        guard text.indices.dropLast().contains(where: { text[$0] == "$" && text[$0 + 1] == "{" }) else {
            return .scalar(scalar)
        }
        let origins = scalar.alignedOrigins()
        var result = String.UnicodeScalarView()
        var resultOrigins: [Int] = []
        var resolved = scalar
        var isValid = true
        var index = 0
        while index < text.count {
            if text[index...].starts(with: "$${".unicodeScalars) {
                result.append(contentsOf: "${".unicodeScalars)
                resultOrigins += [origins[index], origins[index + 2]]
                index += 3
            } else if text[index...].starts(with: "${".unicodeScalars) {
                let end = text[index...].firstIndex(of: "}").map { $0 + 1 } ?? text.count
                let span = origins[index]..<max(origins[index] + 1, origins[min(end, text.count)])
                let body = String(String.UnicodeScalarView(text[index + 2..<max(index + 2, end - 1)]))
                let isClosed = text[end - 1] == "}"
                let value = isClosed ? value(of: body, in: scalar.source, span: span) : unclosed(scalar.source, span)
                isValid = isValid && value != nil
                if let value, value.isSecret {
                    resolved.secretRanges.append(result.count..<result.count + value.text.unicodeScalars.count)
                }
                for character in value?.text.unicodeScalars ?? "".unicodeScalars {
                    result.append(character)
                    resultOrigins.append(origins[index])
                }
                index = end
            } else {
                result.append(text[index])
                resultOrigins.append(origins[index])
                index += 1
            }
        }
        resolved.text = String(result)
        resolved.origins = resultOrigins + [origins[text.count]]
        return isValid ? .scalar(resolved) : .invalid
    }

    /// A variable with one of these in its name holds what must not be shown.
    private static let secretWords: Set<String> = [
        "password", "passwd", "passphrase", "pass", "pwd", "secret", "secrets", "token", "credential", "credentials",
    ]

    private func unclosed(_ source: SourceText, _ span: Range<Int>) -> (text: String, isSecret: Bool)? {
        diagnostics.error(
            .badReference, at: source.place(span), "a `${` without its `}`", fix: "write `$${` for the characters `${`")
        return nil
    }

    private func value(of body: String, in source: SourceText, span: Range<Int>) -> (text: String, isSecret: Bool)? {
        let place = source.place(span)
        if body.hasPrefix("env:") {
            let name = body.dropFirst(4).prefix { $0 == "_" || $0.isLetter || $0.isNumber }
            guard let text = variable(body.dropFirst(4), at: place) else { return nil }
            // Most variables are hosts and folders, which an error has to name; those called so are not.
            let words = name.lowercased().split(separator: "_").map(String.init)
            let isSecret = !Self.secretWords.isDisjoint(with: words)
            if isSecret, !text.isEmpty { secrets.insert(text) }
            return (text, isSecret)
        }
        if body.hasPrefix("file:"), body.utf8.count > 5 {
            return secret(String(body.dropFirst(5)), in: source, at: place).map { ($0, true) }
        }
        diagnostics.error(
            .badReference, at: place, "`${\(body)}` is not a reference",
            fix: "the forms are `${env:NAME}`, `${env:NAME:-default}`, `${env:NAME:?message}` and `${file:path}`;"
                + " write `$${` for the characters `${`")
        return nil
    }

    private func variable(_ body: Substring, at place: Place) -> String? {
        let name = body.prefix { $0 == "_" || ($0.isASCII && ($0.isLetter || $0.isNumber)) }
        let rest = body.dropFirst(name.count)
        guard !name.isEmpty, rest.isEmpty || rest.hasPrefix(":-") || rest.hasPrefix(":?") else {
            diagnostics.error(
                .badReference, at: place, "`${env:\(body)}` is not a reference to a variable",
                fix: "write `${env:NAME}`, `${env:NAME:-default}` or `${env:NAME:?message}`")
            return nil
        }
        let value = environment(String(name))
        // As in a shell, `:-` and `:?` also apply to a variable that is set to nothing.
        if rest.isEmpty, let value { return value }
        if let value, !value.isEmpty { return value }
        if rest.hasPrefix(":-") { return String(rest.dropFirst(2)) }
        let message = rest.dropFirst(2)
        diagnostics.error(
            .missingVariable, at: place,
            "the environment variable `\(name)` is not set" + (message.isEmpty ? "" : ": \(message)"),
            fix: "set it, or give a default: `${env:\(name):-value}`")
        return nil
    }

    private func secret(_ path: String, in source: SourceText, at place: Place) -> String? {
        let resolved = resolvePath(path, besideFile: source.name)
        let content = secretFiles[resolved] ?? readSecretFile(resolved)
        secretFiles[resolved] = content
        let bytes: [UInt8]
        switch content {
        case .success(let read): bytes = read
        case .failure(let failure):
            diagnostics.error(
                .unreadableSecret, at: place, "the file `\(resolved)` cannot be read: \(failure.reason)",
                fix: "relative paths start at the spec's folder")
            return nil
        }
        guard var text = String(validating: bytes, as: UTF8.self) else {
            diagnostics.error(.unreadableSecret, at: place, "the file `\(resolved)` is not UTF-8 text")
            return nil
        }
        // Editors and `echo` end a file with a line break that is no part of the secret.
        if text.hasSuffix("\r\n") || text.hasSuffix("\n") { text.removeLast() }
        if !text.isEmpty { secrets.insert(text) }
        return text
    }
}

/// A path of a spec: absolute as it is, relative ones beside the spec file. `.` parts are dropped.
package func resolvePath(_ path: String, besideFile file: String) -> String {
    let folder = file.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(file[...$0]) } ?? ""
    let whole = path.hasPrefix("/") ? path : folder + path
    let parts = whole.split(separator: "/").filter { $0 != "." }
    let joined = (whole.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
    return joined.isEmpty ? "." : joined
}
