// Files that somebody names: whatever stands under the name, reading it ends, and soon.

import Glibc
import SluiceSimulation
import SluiceSystem
import SystemTesting
import Testing

@Suite("Files that somebody names")
struct NamedFileTests {
    private let files = RealFileSystem()

    private func problem(_ path: String, atMost limit: Int = 100) -> NamedFileProblem? {
        do throws(NamedFileProblem) {
            _ = try files.readNamed(path, atMost: limit)
            return nil
        } catch { return error }
    }

    @Test("A regular file is read up to its limit, and one byte more is too much", arguments: [0, 1, 99, 100, 101])
    func limit(byteCount: Int) throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/file"
        let bytes = [UInt8](repeating: 7, count: byteCount)
        try files.append(path, bytes)
        if byteCount <= 100 {
            #expect(try files.readNamed(path, atMost: 100) == bytes)
        } else {
            #expect(problem(path) == .tooLarge(path: path, byteCount: 101, byteCountMax: 100))
        }
    }

    @Test("A file of the kernel, which does not know its size, is read whole or is too large")
    func kernelFile() throws {
        let text = String(decoding: try files.readNamed("/proc/self/status", atMost: 1 << 20), as: UTF8.self)
        #expect(text.hasPrefix("Name:") && text.contains("\nThreads:"))
        guard case .tooLarge = problem("/proc/self/status", atMost: 10) else {
            Issue.record("more than ten bytes were taken")
            return
        }
    }

    @Test("Pipes, devices and folders are told by what they are, and a sparse giant by its size")
    func others() throws {
        let folder = try TemporaryFolder()
        let (pipe, giant) = ("\(folder.path)/pipe", "\(folder.path)/giant")
        #expect(mkfifo(pipe, 0o600) == 0)
        try files.append(giant, [])
        #expect(truncate(giant, 5 << 30) == 0)
        #expect(problem(pipe) == .notAFile(path: pipe, .other))
        #expect(problem("/dev/zero") == .notAFile(path: "/dev/zero", .other))
        #expect(problem(folder.path) == .notAFile(path: folder.path, .folder))
        #expect(problem(giant) == .tooLarge(path: giant, byteCount: 5 << 30, byteCountMax: 100))
        #expect(problem("\(folder.path)/none")?.reason == "No such file or directory")
        // What has taken a file's place after it was looked at does not keep its reader waiting either.
        #expect(try files.open(pipe).info().kind == .other)
    }
}
