// A browser, driven over WebDriver (W3C): JSON over HTTP to chromedriver, which starts Chromium without a window.

import Foundation
import KafkaTesting
import Testing

struct WebDriverError: Error, CustomStringConvertible {
    var description: String
}

/// Where Debian's packages `chromium` and `chromium-driver` put them.
enum Chromium {
    static let driver = "/usr/bin/chromedriver"

    static var isThere: Bool {
        ["/usr/bin/chromium", driver].allSatisfy { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// On a machine that checks changes nothing may be left out: what is missing there fails the tests.
    static let isWanted = isThere || ProcessInfo.processInfo.environment["CI"] == "true"

    static let missing: Comment = "there is no Chromium here: docker/setup.sh installs `chromium` and `chromium-driver`"
}

/// One browser with one page.
final class WebDriver {
    private let folder: TemporaryFolder
    private let process: ChildProcess
    private let port: UInt16
    private var session = ""

    init() throws {
        folder = try TemporaryFolder()
        let output = "\(folder.path)/chromedriver"
        // The browser's own folders go where the rest of the test is.
        let command = ["/usr/bin/env", "HOME=\(folder.path)", "TMPDIR=\(folder.path)", Chromium.driver, "--port=0"]
        process = try ChildProcess(command, output: output, error: "\(output)-errors")
        let folder = self.folder
        var found: UInt16?
        try KafkaTesting.waitUntil("chromedriver to listen") {
            let text = folder.read("chromedriver") ?? ""
            let line = text.split(separator: "\n").first { $0.contains("started successfully on port ") }
            found = line?.split(separator: " ").last.flatMap { UInt16($0.filter(\.isNumber)) }
            return found != nil
        }
        port = try #require(found)
        try open()
    }

    deinit {
        // The driver ends its browser before it ends itself.
        _ = try? send("DELETE", "/session/\(session)")
        process.send(SIGTERM)
        _ = try? process.wait(secondsMax: 10)
    }

    private func open() throws {
        let arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        let capabilities: [String: Any] = [
            "browserName": "chrome", "goog:chromeOptions": ["args": arguments], "goog:loggingPrefs": ["browser": "ALL"],
        ]
        let value = try send("POST", "/session", ["capabilities": ["alwaysMatch": capabilities]])
        session = try #require((value as? [String: Any])?["sessionId"] as? String)
    }

    // MARK: The page

    func open(_ address: String) throws { try command("url", ["url": address]) }

    func goBack() throws { try command("back", [:]) }

    func setSize(width: Int, height: Int) throws {
        let metrics: [String: Any] = ["width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600]
        try command("goog/cdp/execute", ["cmd": "Emulation.setDeviceMetricsOverride", "params": metrics])
    }

    /// What a script returns.
    @discardableResult func run(_ script: String) throws -> Any? {
        try command("execute/sync", ["script": script, "args": [Any]()])
    }

    /// The text of the first element, one space for all that separates; nil without one.
    func text(_ selector: String) throws -> String? {
        let text = try run("return document.querySelector(\(quoted(selector)))?.innerText ?? null") as? String
        return text?.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    func count(_ selector: String) throws -> Int {
        try run("return document.querySelectorAll(\(quoted(selector))).length") as? Int ?? 0
    }

    /// Presses the left button in the middle of an element, as a person does: it fails where something lies over it.
    func click(_ selector: String) throws { try command("element/\(find(selector))/click", [:]) }

    func type(_ text: String, into selector: String) throws {
        try command("element/\(find(selector))/value", ["text": text])
    }

    /// Presses a key wherever the focus is.
    func press(_ key: Key) throws {
        let actions = ["keyDown", "keyUp"].map { ["type": $0, "value": key.rawValue] }
        try command("actions", ["actions": [["type": "key", "id": "keys", "actions": actions] as [String: Any]]])
    }

    enum Key: String {
        case tab = "\u{E004}"
        case enter = "\u{E007}"
        case escape = "\u{E00C}"
        case home = "\u{E011}"
        case left = "\u{E012}"
    }

    /// Moves the pointer over an element, to a share of its width.
    func point(at selector: String, share: Double) throws {
        try run("document.querySelector(\(quoted(selector))).scrollIntoView({ block: 'center' })")
        let box = try run(
            "const box = document.querySelector(\(quoted(selector))).getBoundingClientRect();"
                + "return [box.left + box.width * \(share), box.top + box.height / 2].map(Math.round)")
        let place = try #require(box as? [Int])
        let move: [String: Any] = ["type": "pointerMove", "x": place[0], "y": place[1], "duration": 0]
        try command("actions", ["actions": [["type": "pointer", "id": "mouse", "actions": [move]] as [String: Any]]])
    }

    /// What the page and the browser have complained of since the last call.
    func complaints() throws -> [String] {
        let entries = try command("se/log", ["type": "browser"]) as? [[String: Any]] ?? []
        return entries.compactMap { $0["message"] as? String }
    }

    func waitUntil(_ what: String, secondsMax: Double = 30, _ condition: () throws -> Bool) throws {
        try KafkaTesting.waitUntil(what, secondsMax: secondsMax, condition)
    }

    /// Puts what the page looks like now into the folder that `SLUICE_SCREENSHOTS` names, for a person to look at.
    func takeScreenshot(_ name: String) throws {
        guard let folder = ProcessInfo.processInfo.environment["SLUICE_SCREENSHOTS"] else { return }
        let height = min(6000, try run("return document.documentElement.scrollHeight") as? Int ?? 0)
        let width = try run("return innerWidth") as? Int ?? 0
        let clip: [String: Any] = ["x": 0, "y": 0, "width": width, "height": height, "scale": 1]
        let parameters: [String: Any] = ["format": "png", "captureBeyondViewport": true, "clip": clip]
        let answer = try command("goog/cdp/execute", ["cmd": "Page.captureScreenshot", "params": parameters])
        let text = try #require((answer as? [String: Any])?["data"] as? String)
        try #require(Data(base64Encoded: text)).write(to: URL(filePath: folder).appending(path: "\(name).png"))
    }

    // MARK: The protocol

    private func find(_ selector: String) throws -> String {
        let value = try command("element", ["using": "css selector", "value": selector]) as? [String: String]
        return try #require(value?.values.first)
    }

    @discardableResult private func command(_ name: String, _ body: [String: Any]) throws -> Any? {
        try send("POST", "/session/\(session)/\(name)", body)
    }

    private func send(_ method: String, _ path: String, _ body: [String: Any]? = nil) throws -> Any? {
        guard let connection = RawConnection(port: port) else { throw WebDriverError(description: "no chromedriver") }
        let data = try body.map { try JSONSerialization.data(withJSONObject: $0) } ?? Data()
        let head = [
            "\(method) \(path) HTTP/1.1", "Host: 127.0.0.1:\(port)", "Connection: close",
            "Content-Type: application/json", "Content-Length: \(data.count)",
        ]
        connection.send(head.joined(separator: "\r\n") + "\r\n\r\n" + String(decoding: data, as: UTF8.self))
        guard let answer = ServedProcess.parse(Self.readAnswer(connection)), let json = jsonObject(answer.body) else {
            throw WebDriverError(description: "chromedriver does not answer \(path)")
        }
        if answer.status == 200 { return json["value"] is NSNull ? nil : json["value"] }
        throw WebDriverError(description: "\(path): \(json["value"] ?? answer.body)")
    }

    /// As many bytes as the answer says that it has: the driver keeps a connection open whatever it is asked for.
    private static func readAnswer(_ connection: RawConnection) -> [UInt8] {
        var bytes: [UInt8] = []
        var wanted: Int?
        while wanted.map({ bytes.count < $0 }) ?? true {
            let part = connection.read()
            if part.isEmpty { break }
            bytes += part
            if wanted == nil, let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) {
                let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).lowercased()
                let line = head.split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
                let length = line.flatMap { Int($0.split(separator: ":")[1].filter(\.isNumber)) }
                wanted = length.map { end.upperBound + $0 }
            }
        }
        return bytes
    }
}

/// A text as JavaScript writes it.
func quoted(_ text: String) -> String {
    let data = (try? JSONSerialization.data(withJSONObject: [text])) ?? Data()
    return String(String(decoding: data, as: UTF8.self).dropFirst().dropLast())
}
