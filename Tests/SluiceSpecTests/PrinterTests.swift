// The two printers of diagnostics.

import Foundation
import SluiceSpec
import Testing

@Suite struct PrinterTests {
    private let position = SourcePosition(file: "a.yaml", line: 2, column: 3)

    private func lines(_ text: String) -> SourceLines { SourceLines(files: [("a.yaml", Array(text.utf8))]) }

    @Test func `a diagnostic shows its line, carets and fix`() {
        let diagnostic = Diagnostic(
            .error, .unknownKey, at: position, length: 4, "`wich` is no key", fix: "did you mean `with`?")
        #expect(
            diagnostic.rendered(lines: lines("x:\n  wich: a\n")) == """
                a.yaml:2:3: error[unknown-key]: `wich` is no key
                  wich: a
                  ^^^^
                    did you mean `with`?
                """)
    }

    @Test func `a place that is not in the text costs only the excerpt`() {
        let diagnostic = Diagnostic(
            .warning, .unusedSink, at: SourcePosition(file: "b.yaml", line: 9, column: 9), "unused")
        #expect(diagnostic.rendered(lines: lines("")) == "b.yaml:9:9: warning[unused-sink]: unused")
        let behind = Diagnostic(.error, .tab, at: SourcePosition(file: "a.yaml", line: 1, column: 99), length: 50, "x")
        #expect(behind.rendered(lines: lines("ab")) == "a.yaml:1:99: error[tab]: x\nab\n  ^")
    }

    @Test func `a long line is cut around the place`() {
        let diagnostic = Diagnostic(
            .error, .tab, at: SourcePosition(file: "a.yaml", line: 1, column: 501), length: 3, "x")
        let text = String(repeating: "a", count: 500) + "bbb" + String(repeating: "c", count: 500)
        let shown = diagnostic.rendered(lines: lines(text)).split(separator: "\n")
        #expect(shown[1].count == 162)
        #expect(shown[1].hasPrefix("…aaa") && shown[1].hasSuffix("ccc…"))
        #expect(zip(shown[1], shown[2]).filter { $0.1 == "^" }.map(\.0) == ["b", "b", "b"])
    }

    @Test func `a spec cannot steer the terminal`() {
        let diagnostic = Diagnostic(
            .error, .tab, at: SourcePosition(file: "a.yaml", line: 1, column: 1), "`\u{1B}[31m`")
        #expect(
            !diagnostic.rendered(lines: lines("\u{1B}[2J\u{9B}")).unicodeScalars.contains {
                $0 == "\u{1B}" || $0 == "\u{9B}"
            })
    }

    @Test func `JSON has every field and escapes what it must`() {
        let diagnostic = Diagnostic(.warning, code: "c\"", at: position, length: 2, "é \\ \n\u{1}")
        #expect(
            [diagnostic].json == """
                [
                  {"severity":"warning","code":"c\\"","file":"a.yaml","line":2,"column":3,"length":2,\
                "message":"é \\\\ \\n\\u0001","fix":null}
                ]
                """)
        #expect([Diagnostic]().json == "[]")
    }

    @Test func `codes are unique and in kebab case`() {
        let codes = DiagnosticCode.allCases.map(\.rawValue)
        #expect(Set(codes).count == codes.count)
        #expect(codes.allSatisfy { $0.wholeMatch(of: /[a-z]+(-[a-z0-9]+)*/) != nil })
    }

    @Test func `the index of diagnostics lists every code`() throws {
        let index = try String(contentsOf: Golden.diagnosticsIndex, encoding: .utf8)
        let listed = index.matches(of: /\| `([a-z0-9-]+)` \|/).map { String($0.1) }
        #expect(listed == DiagnosticCode.allCases.map(\.rawValue))
    }

    @Test func `the golden specs meet nearly every code`() throws {
        let shown = try Golden.names.map { try Golden.text("\($0).txt") }.joined()
        let elsewhere: Set<DiagnosticCode> = [
            .invalidUTF8, .aliasBomb, .tooDeep, .tooLarge, .notAFile, .duplicateName, .zonelessTimestamp,
        ]
        for code in DiagnosticCode.allCases where !elsewhere.contains(code) {
            #expect(shown.contains("[\(code.rawValue)]"), "\(code.rawValue)")
        }
    }
}
