// A schema registry of the tests' own in a process of its own, over real HTTP (registry.py says what it keeps).

import Foundation
import FoundationNetworking
import KafkaTesting
import Synchronization

package final class TestRegistry: Sendable {
    private let folder: ScratchFolder
    private let process: Mutex<ChildProcess>
    /// What starts it, on a port.
    private let command: @Sendable (Int) -> [String]
    package let port: Int
    /// Where the test speaks to it, without TLS.
    private let plainPort: Mutex<Int>
    private let usesTLS: Bool

    package var url: String { "\(usesTLS ? "https" : "http")://127.0.0.1:\(port)" }

    /// A certificate for 127.0.0.1 and its key, as files.
    package struct Certificate: Sendable {
        package var certificate: String
        package var key: String

        package init(in folder: String) throws {
            certificate = "\(folder)/certificate.pem"
            key = "\(folder)/key.pem"
            let openssl = Process()
            openssl.executableURL = URL(filePath: "/usr/bin/env")
            openssl.arguments = [
                "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate,
            ]
            openssl.standardError = FileHandle.nullDevice
            try openssl.run()
            openssl.waitUntilExit()
        }
    }

    /// - Parameter port: 0 picks one.
    package init(port: Int = 0, login: String? = nil, certificate: Certificate? = nil) throws {
        let folder = try ScratchFolder()
        self.folder = folder
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "registry.py").path
        var options = ["--store", "\(folder.path)/schemas.jsonl"]
        if let login { options += ["--login", login] }
        if let certificate { options += ["--certificate", certificate.certificate, "--key", certificate.key] }
        command = { [options] in ["python3", script, "\($0)"] + options }
        usesTLS = certificate != nil
        let first = try Self.start(command(port), in: folder)
        process = Mutex(first.process)
        self.port = first.ports[0]
        plainPort = Mutex(first.ports[1])
    }

    private static func start(
        _ command: [String], in folder: ScratchFolder
    ) throws -> (process: ChildProcess, ports: [Int]) {
        let (output, error) = (folder.uniquePath("output"), folder.uniquePath("error"))
        let process = try ChildProcess(command, output: output, error: error)
        try waitUntil("the registry to listen") {
            if !process.isRunning { throw RegistryTestError(folder.read(error)) }
            return folder.read(output).count { $0 == "\n" } == 2
        }
        return (process, folder.read(output).split(separator: "\n").compactMap { Int($0) })
    }

    /// Ends it as a machine that loses power.
    package func kill() throws {
        let process = process.withLock { $0 }
        process.kill()
        _ = try process.wait(secondsMax: 10)
    }

    /// Starts it again after `kill`, on its port, with what it had.
    package func resume() throws {
        let next = try Self.start(command(port), in: folder)
        process.withLock { $0 = next.process }
        plainPort.withLock { $0 = next.ports[1] }
    }

    /// Makes it answer as one of the words of registry.py says.
    package func setMode(_ mode: String) throws { _ = try send("PUT", "/-/mode", Data(mode.utf8)) }

    /// What it was asked for since the last call, such as `GET /schemas/ids/1`.
    package func takeLog() throws -> [String] {
        String(decoding: try send("GET", "/-/log"), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// Who asks.
    package struct Login: Sendable {
        package var user: String
        package var password: String

        package init(user: String, password: String) { (self.user, self.password) = (user, password) }
    }

    /// Takes a schema in, as a producer would; gives its number.
    /// - Parameter references: name, subject and version of what it refers to.
    @discardableResult
    package func register(
        _ schema: String, as type: String = "AVRO", subject: String, references: [(String, String, Int)] = [],
        login: Login? = nil
    ) throws -> Int {
        let content: [String: Any] = [
            "schema": schema, "schemaType": type,
            "references": references.map { ["name": $0.0, "subject": $0.1, "version": $0.2] as [String: Any] },
        ]
        let answer = try send(
            "POST", "/subjects/\(subject)/versions", JSONSerialization.data(withJSONObject: content), login: login)
        let object = try JSONSerialization.jsonObject(with: answer) as? [String: Any]
        guard let id = object?["id"] as? Int else {
            throw RegistryTestError(String(decoding: answer, as: UTF8.self))
        }
        return id
    }

    private func send(_ method: String, _ path: String, _ body: Data? = nil, login: Login? = nil) throws -> Data {
        let place = "http://127.0.0.1:\(plainPort.withLock { $0 })\(path)"
        guard let url = URL(string: place) else { throw RegistryTestError(path) }
        var request = URLRequest(url: url)
        request.httpMethod = method
        request.httpBody = body
        if let login {
            let words = Data("\(login.user):\(login.password)".utf8).base64EncodedString()
            request.setValue("Basic \(words)", forHTTPHeaderField: "Authorization")
        }
        // Blocks, as all does that the client under test does.
        let answer = Mutex<Data?>(nil)
        let isDone = DispatchSemaphore(value: 0)
        URLSession.shared.dataTask(with: request) { data, _, _ in
            answer.withLock { $0 = data }
            isDone.signal()
        }.resume()
        isDone.wait()
        guard let data = answer.withLock({ $0 }) else { throw RegistryTestError("\(method) \(path) has no answer") }
        return data
    }
}

package struct RegistryTestError: Error, CustomStringConvertible {
    package var description: String
    init(_ description: String) { self.description = description }
}
