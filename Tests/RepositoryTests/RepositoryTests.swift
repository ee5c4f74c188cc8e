// The rules of the house that a compiler does not check: which module may import which, how long lines and files are,
// which folder names say nothing, and that nothing of one machine is in the repository.

import Foundation
import Testing

@Suite struct RepositoryTests {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Module to what it may import, besides Glibc and the standard library.
    static let allowedImports: [String: Set<String>] = [
        "SluiceSpec": ["CYAML", "CPCRE2", "CProtobuf"],
        "SluicePlan": ["SluiceSpec"],
        "SluiceEngine": ["SluicePlan", "SluiceSpec", "CSimdJSON", "CMemory", "CPCRE2", "CCrypto"],
        "SluiceSystem": ["CMemory", "Synchronization"],
        "SluicePage": [],
        "SluiceConnectors": [
            "SluiceEngine", "SluicePlan", "SluiceSpec", "SluiceSystem", "CCurl", "CRdKafka", "CSnappy", "CZlib",
            "CZstd", "Synchronization",
        ],
        "SluiceCheckpoint": [
            "SluiceConnectors", "SluiceEngine", "SluicePlan", "SluiceSpec", "SluiceSystem", "CDeflate",
            "Synchronization",
        ],
        "SluiceSimulation": ["SluiceConnectors", "SluiceEngine", "SluiceSystem", "Synchronization"],
        "SluiceRuntime": [
            "SluiceCheckpoint", "SluiceConnectors", "SluiceEngine", "SluicePlan", "SluiceSpec", "SluiceSystem",
            "Synchronization",
        ],
        "SluiceAdvice": [
            "SluiceRuntime", "SluiceCheckpoint", "SluiceConnectors", "SluiceEngine", "SluicePlan", "SluiceSimulation",
            "SluiceSpec", "SluiceSystem",
        ],
        "SluiceStatus": [
            "SluiceAdvice", "SluiceRuntime", "SluiceCheckpoint", "SluiceConnectors", "SluiceEngine", "SluicePage",
            "SluicePlan", "SluiceSpec", "SluiceSystem", "CDeflate", "CMicroHTTPD", "Synchronization",
        ],
        "SluiceDescribe": ["SluiceConnectors", "SluiceEngine", "SluicePlan", "SluiceSpec", "SluiceSystem"],
        "sluice": [
            "SluiceStatus", "SluiceAdvice", "SluiceRuntime", "SluiceDescribe", "SluiceCheckpoint", "SluiceConnectors",
            "SluiceEngine", "SluicePlan", "SluiceSpec", "SluiceSystem", "CEarlySignals", "Synchronization",
        ],
    ]

    static func files(below folder: String, suffixes: [String]) -> [URL] {
        let base = root.appending(path: folder)
        let enumerator = FileManager.default.enumerator(at: base, includingPropertiesForKeys: nil)
        return (enumerator?.allObjects as? [URL] ?? []).filter { file in
            suffixes.contains(file.pathExtension) && !file.path.contains("/.build/")
        }
    }

    static func lines(_ file: URL) throws -> [Substring] {
        try String(contentsOf: file, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
    }

    @Test(arguments: allowedImports.keys.sorted())
    func `A module imports only what stands before it in the flow`(module: String) throws {
        let allowed = try #require(Self.allowedImports[module]).union(["Glibc"])
        for file in Self.files(below: "Sources/\(module)", suffixes: ["swift"]) {
            for line in try Self.lines(file) {
                let words = line.split(separator: " ")
                guard let keyword = words.firstIndex(of: "import"), keyword <= 1, words.count > keyword + 1 else {
                    continue
                }
                let imported = String(words[keyword + 1])
                #expect(allowed.contains(imported), "\(file.lastPathComponent) imports \(imported)")
            }
        }
    }

    @Test func `Every module of the package is in the table of imports`() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.root.appending(path: "Sources").path)
        let own = Set(folders.filter { !$0.hasPrefix("C") })
        #expect(own == Set(Self.allowedImports.keys))
    }

    @Test func `No line is longer than 120 columns`() throws {
        for folder in ["Sources", "Tests"] {
            for file in Self.files(below: folder, suffixes: ["swift", "h", "cpp"]) {
                for (number, line) in try Self.lines(file).enumerated() where line.count > 120 {
                    // A line that is one long literal cannot be broken.
                    if line.contains("\"") && folder == "Tests" { continue }
                    Issue.record("\(file.lastPathComponent):\(number + 1) has \(line.count) columns")
                }
            }
        }
    }

    @Test func `Folders have names that say what is in them`() {
        let empty: Set<String> = ["Utils", "Util", "Common", "Helpers", "Helper", "Core", "Manager", "Misc"]
        for file in Self.files(below: "Sources", suffixes: ["swift"]) {
            for part in file.pathComponents {
                #expect(!empty.contains(part), "\(file.path) is in a folder named \(part)")
            }
        }
    }

    @Test func `A source file opens with why it exists or with its type's documentation`() throws {
        for file in Self.files(below: "Sources", suffixes: ["swift"]) {
            let first = try Self.lines(file).first {
                !$0.hasPrefix("internal import") && !$0.hasPrefix("package import") && !$0.isEmpty
            }
            #expect(first?.hasPrefix("//") == true, "\(file.lastPathComponent) opens with \(first ?? "nothing")")
        }
    }

    @Test func `Nothing of one machine or one session is in the repository`() throws {
        // Put together here so that this file does not find itself.
        let banned = ["/wo" + "rk/", "/tm" + "p/h/", "../sha" + "red", "TO" + "DO", "FIX" + "ME"]
        for folder in ["Sources", "Tests", "docker", "plans", ".ci"] {
            for file in Self.files(below: folder, suffixes: ["swift", "h", "cpp", "yaml", "sh", "md"]) {
                for line in try Self.lines(file) {
                    for word in banned where line.contains(word) {
                        Issue.record("\(file.lastPathComponent) has \(word): \(line)")
                    }
                }
            }
        }
    }

    @Test func `The top level holds what the house says and nothing else`() throws {
        let allowed: Set<String> = [
            "Package.swift", "Package.resolved", "Sources", "Tests", "docker", "plans", "README.md",
        ]
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.root.path)
        for name in names where !name.hasPrefix(".") {
            #expect(allowed.contains(name), "\(name) stands at the top level")
        }
    }
}
