import Foundation
import SluiceSystem
import Testing

@Suite struct AbsolutePathTests {
    @Test(arguments: [
        ("/data/visits.jsonl", "/data/visits.jsonl"), ("/data//./visits/*.jsonl", "/data/visits/*.jsonl"),
        ("/", "/"), ("/../usr/./x", "/usr/x"), ("/usr/../nowhere", "/nowhere"),
        ("/no such folder/../x", "/no such folder/../x"),
    ])
    func `A path is written in one way`(path: String, absolute: String) {
        #expect(absolutePath(path) == absolute)
    }

    @Test func `A relative path is taken from the working folder`() throws {
        let folder = FileManager.default.currentDirectoryPath
        #expect(absolutePath("x/./y") == "\(folder)/x/y")
        #expect(absolutePath(".") == folder)
    }

    @Test func `A folder above a link is the one the system goes to, and other links keep their names`() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "links-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let real = absolutePath("\(folder)/real/inner")
        try FileManager.default.createDirectory(atPath: real, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: "\(folder)/link", withDestinationPath: real)
        #expect(absolutePath("\(folder)/link/x") == "\(folder)/link/x")
        let root = try #require(realpath("\(folder)/real", nil).map { String(cString: $0) })
        #expect(absolutePath("\(folder)/link/../x") == "\(root)/x")
    }
}
