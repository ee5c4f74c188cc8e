// Requests over HTTP, with libcurl: TLS, logins, proxies and keeping connections are its business. Answers are small
// texts, so one is read whole, up to a limit, and a request takes a limited time.

internal import CCurl

/// What is asked.
struct HTTPRequest {
    var url: String
    /// Sent with POST; nil is a GET.
    var body: [UInt8]?
    /// The media type of the body, and of the answer that is wanted.
    var mediaType: String
}

struct HTTPResponse {
    var status: Int
    var body: [UInt8]
}

/// Why there is no answer.
struct HTTPFailure: Error {
    enum Kind {
        /// A server that is away, slow or starting: trying again may help.
        case noAnswer
        /// Nobody who is trusted speaks for the server, or who is trusted cannot be read.
        case certificate
        /// A login to a proxy, a URL: it will be the same next time.
        case refused
        case stopped
    }

    var kind: Kind
    /// To follow "…: ".
    var message: String
}

/// Who is asked, and how. Used by one thread.
@safe final class HTTPClient {
    private let handle: UnsafeMutableRawPointer?
    /// What libcurl says of the last failure; outlives the handle.
    private let errorText: UnsafeMutablePointer<CChar>
    private let shouldStop: @Sendable () -> Bool
    private var body: [UInt8] = []
    private var isTooLarge = false

    /// The largest answer, in bytes.
    static let bodyByteCountMax = 16 << 20
    private static let connectMillis = 5000
    private static let requestMillis = 20_000
    private static let redirectCountMax = 5

    // curl_global_init is not safe beside itself.
    private static let isReady: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    /// - Parameters:
    ///   - ca: a file of certificates in place of the system's.
    ///   - shouldStop: asked about once a second while an answer is waited for.
    init(user: String?, password: String?, ca: String?, shouldStop: @escaping @Sendable () -> Bool) {
        self.shouldStop = shouldStop
        unsafe errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        unsafe errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        unsafe handle = Self.isReady ? curl_easy_init() : nil
        guard let handle = unsafe handle else { return }
        // Without signals: other threads have theirs.
        _ = unsafe sluice_curl_set_long(handle, CURLOPT_NOSIGNAL, 1)
        _ = unsafe sluice_curl_set_http_only(handle)
        _ = unsafe sluice_curl_set_error_text(handle, errorText)
        _ = unsafe sluice_curl_set_long(handle, CURLOPT_CONNECTTIMEOUT_MS, Self.connectMillis)
        _ = unsafe sluice_curl_set_long(handle, CURLOPT_TIMEOUT_MS, Self.requestMillis)
        _ = unsafe sluice_curl_set_text(handle, CURLOPT_USERAGENT, "sluice")
        _ = unsafe sluice_curl_set_text(handle, CURLOPT_ACCEPT_ENCODING, "")
        if let ca { _ = unsafe sluice_curl_set_text(handle, CURLOPT_CAINFO, ca) }
        if let user {
            _ = unsafe sluice_curl_set_long(handle, CURLOPT_HTTPAUTH, 1)
            _ = unsafe sluice_curl_set_text(handle, CURLOPT_USERNAME, user)
            _ = unsafe sluice_curl_set_text(handle, CURLOPT_PASSWORD, password ?? "")
        }
    }

    deinit {
        if let handle = unsafe handle { unsafe curl_easy_cleanup(handle) }
        unsafe errorText.deallocate()
    }

    /// The answer to a request. A redirect is followed to the same server only: a login is for nobody else.
    func send(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPResponse {
        guard let handle = unsafe handle else { throw HTTPFailure(kind: .refused, message: "libcurl does not start") }
        var request = request
        for _ in 0...Self.redirectCountMax {
            let response = try unsafe perform(request, handle)
            guard (300..<400).contains(response.status), let place = unsafe sluice_curl_redirect(handle) else {
                return response
            }
            let target = unsafe String(cString: place)
            guard Self.server(of: target) == Self.server(of: request.url) else {
                let server = Self.server(of: target)
                throw HTTPFailure(kind: .refused, message: "it refers to another server, \(server)")
            }
            request.url = target
        }
        throw HTTPFailure(kind: .refused, message: "it refers from place to place without end")
    }

    /// Scheme, host and port of a URL, as it is written.
    private static func server(of url: String) -> String {
        guard let scheme = url.firstRange(of: "://") else { return url }
        let end = url[scheme.upperBound...].firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? url.endIndex
        return url[..<end].lowercased()
    }

    private func perform(
        _ request: HTTPRequest, _ handle: UnsafeMutableRawPointer
    ) throws(HTTPFailure) -> HTTPResponse {
        body = []
        isTooLarge = false
        var headers = unsafe curl_slist_append(nil, "Accept: \(request.mediaType), application/json")
        defer { unsafe curl_slist_free_all(headers) }
        if let body = request.body {
            unsafe headers = curl_slist_append(headers, "Content-Type: \(request.mediaType)")
            _ = unsafe sluice_curl_set_long(handle, CURLOPT_POSTFIELDSIZE, body.count)
            _ = unsafe sluice_curl_set_text(handle, CURLOPT_COPYPOSTFIELDS, body.map { CChar(bitPattern: $0) } + [0])
        } else {
            _ = unsafe sluice_curl_set_long(handle, CURLOPT_HTTPGET, 1)
        }
        _ = unsafe sluice_curl_set_headers(handle, headers)
        _ = unsafe sluice_curl_set_text(handle, CURLOPT_URL, request.url)
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        _ = unsafe sluice_curl_set_writer(
            handle,
            { bytes, _, count, context in
                guard let bytes = unsafe bytes, let context = unsafe context else { return 0 }
                let client = unsafe Unmanaged<HTTPClient>.fromOpaque(context).takeUnretainedValue()
                return unsafe client.take(UnsafeRawBufferPointer(start: bytes, count: count)) ? count : 0
            }, context)
        _ = unsafe sluice_curl_set_progress(
            handle,
            { context, _, _, _, _ in
                guard let context = unsafe context else { return 1 }
                return unsafe Unmanaged<HTTPClient>.fromOpaque(context).takeUnretainedValue().shouldStop() ? 1 : 0
            }, context)
        let code = unsafe curl_easy_perform(handle)
        guard code == CURLE_OK else { throw failure(code) }
        return HTTPResponse(status: unsafe sluice_curl_status(handle), body: body)
    }

    private func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        isTooLarge = body.count + bytes.count > Self.bodyByteCountMax
        if !isTooLarge { unsafe body.append(contentsOf: bytes) }
        return !isTooLarge
    }

    private func failure(_ code: CURLcode) -> HTTPFailure {
        if isTooLarge {
            return HTTPFailure(kind: .refused, message: "its answer is larger than \(Self.bodyByteCountMax >> 20) MiB")
        }
        let message = unsafe String(cString: curl_easy_strerror(code))
        switch code {
        case CURLE_ABORTED_BY_CALLBACK: return HTTPFailure(kind: .stopped, message: message)
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM, CURLE_SSL_ISSUER_ERROR:
            // Which of the many things that can be wrong with a certificate.
            let detail = unsafe String(cString: errorText)
            return HTTPFailure(kind: .certificate, message: detail.isEmpty ? message : detail)
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_LOGIN_DENIED:
            return HTTPFailure(kind: .refused, message: message)
        default: return HTTPFailure(kind: .noAnswer, message: message)
        }
    }
}
