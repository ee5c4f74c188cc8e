// Each spec in Golden/ with the diagnostics it gets, as `check` prints them. UPDATE_GOLDEN=1 rewrites the texts; review
// is `git diff`.

import SluiceSpec
import Testing

@Suite struct GoldenDiagnosticsTests {
    @Test(arguments: Golden.names)
    func `a spec gets exactly the stored diagnostics`(name: String) throws {
        let text = try Golden.text("\(name).yaml")
        let read = readSpec(
            [("\(name).yaml", text)], environment: ["FOLDER": "in", "BAD_TYPE": "sting"],
            secrets: ["secret.txt": "hunter2\n"], others: { try? Golden.text($0) })
        #expect((read.spec == nil) == !read.errors.isEmpty)
        #expect(!read.rendered.contains("hunter2"))
        try Golden.expect(read.rendered + "\n", in: "\(name).txt")
    }
}
