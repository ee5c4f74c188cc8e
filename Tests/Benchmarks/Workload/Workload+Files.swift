// The workload on disk: one file per batch and side.

import Glibc

extension Workload {
    /// Writes `visits/0000.jsonl`, `ads/0000.jsonl`, … and returns the bytes written.
    func write(to folder: String) -> Int {
        let forms = self.forms
        return write(to: "\(folder)/visits") { appendVisit($0, forms.visit, to: &$1) }
            + write(to: "\(folder)/ads") { appendAd($0, forms.ad, to: &$1) }
    }

    private func write(to folder: String, _ append: (Int, inout [UInt8]) -> Void) -> Int {
        makeFolder(folder)
        var byteCount = 0
        var text: [UInt8] = []
        for (number, rows) in files.enumerated() {
            guard let file = fopen("\(folder)/\(Self.fileName(number))", "w") else { fail("cannot write in \(folder)") }
            for index in rows {
                append(index, &text)
                text.append(UInt8(ascii: "\n"))
                if text.count > 1 << 20 { flush(&text, to: file, &byteCount) }
            }
            flush(&text, to: file, &byteCount)
            fclose(file)
        }
        return byteCount
    }

    private func flush(_ text: inout [UInt8], to file: UnsafeMutablePointer<FILE>, _ byteCount: inout Int) {
        guard fwrite(text, 1, text.count, file) == text.count else { fail("cannot write: is the disk full?") }
        byteCount += text.count
        text.removeAll(keepingCapacity: true)
    }

    static func fileName(_ number: Int) -> String { "\(padded(number, 4)).jsonl" }

    /// Reads the rows of a sink's files back; one that is of no known form ends the program.
    func answer(in folder: String, suffix: String = ".jsonl") -> Answer {
        let forms = self.forms
        var answer = Answer()
        for name in list(folder) where name.hasSuffix(suffix) {
            readFile("\(folder)/\(name)").withUnsafeBytes { text in
                var start = 0
                while start < text.count, let base = text.baseAddress {
                    let end = memchr(base + start, 10, text.count - start).map {
                        $0 - UnsafeMutableRawPointer(mutating: base)
                    }
                    guard let end else { fail("\(folder)/\(name) ends in a row without a line break") }
                    answer.add(UnsafeRawBufferPointer(rebasing: text[start..<end]), forms)
                    start = end + 1
                }
            }
        }
        return answer
    }
}
