// `sluice status`, `pause`, `resume`, `trigger`, `reload`: one request to a running process each.

internal import SluiceRuntime
internal import SluiceStatus
internal import SluiceSystem

struct ControlCommand {
    private let options: ControlOptions
    private let files: any FileSystem

    init(_ options: ControlOptions, files: any FileSystem) {
        self.options = options
        self.files = files
    }

    /// The exit code: 1 when the process refuses or cannot be reached, 2 for an address that is none.
    func run() throws -> Int32 {
        let address: SocketAddress
        do throws(AddressProblem) { address = try SocketAddress(options.address) } catch {
            printError("error: --to: \(error)")
            return 2
        }
        let token = try options.tokenFile.map { try readToken($0, files) }
        let answer = try StatusClient(address, token: token).send(options.action.path, body: options.action.body)
        let isRefused = answer.status >= 400
        let text =
            switch options.format {
            case .json: String(decoding: answer.body, as: UTF8.self)
            case .text: isRefused ? StatusText.error(answer.body) : options.action.text(answer.body)
            }
        guard let text else {
            printError("error: what answers at \(address.text) is not a sluice of this version")
            return 1
        }
        if isRefused, options.format == .text { printError(text) } else { printLine(text) }
        return isRefused ? 1 : 0
    }
}

extension ControlAction {
    fileprivate var path: String {
        switch self {
        case .status(nil): "/api/queries"
        case .status(let query?): "/api/queries/\(percentEncoded(query))"
        case .pause(let query): "/api/queries/\(percentEncoded(query))/pause"
        case .resume(let query): "/api/queries/\(percentEncoded(query))/resume"
        case .trigger(let query, _): "/api/queries/\(percentEncoded(query))/trigger"
        case .reload: "/api/reload"
        }
    }

    /// nil for a question.
    fileprivate var body: [UInt8]? {
        switch self {
        case .status: nil
        case .pause, .resume, .reload: []
        case .trigger(_, let trigger): triggerRequest(trigger)
        }
    }

    fileprivate func text(_ answer: [UInt8]) -> String? {
        switch self {
        case .status, .pause, .resume, .trigger: StatusText.queries(answer)
        case .reload: StatusText.reload(answer)
        }
    }
}

/// Far beyond any token.
private let tokenFileBytesMax = 64 << 10

/// The token in a file: what stands there, without spaces and line breaks around it.
func readToken(_ path: String, _ files: any FileSystem) throws -> String {
    let text = String(decoding: try files.readNamed(path, atMost: tokenFileBytesMax), as: UTF8.self)
    let token = text.split(whereSeparator: \.isWhitespace)
    guard token.count == 1 else { throw TokenError(description: "\(path) does not hold one token") }
    return String(token[0])
}

struct TokenError: Error, CustomStringConvertible {
    var description: String
}
