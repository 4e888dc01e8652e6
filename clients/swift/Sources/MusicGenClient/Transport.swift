import Foundation
#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// An HTTP request to the gateway.
struct Request {
    var method = "GET"
    var path: String
    var query: [URLQueryItem] = []
    var headers: [String: String] = [:]
    var body: Data?
    /// Seconds without data after which it has failed.
    var timeout: TimeInterval = 30

    static let idempotencyKey = "Idempotency-Key"

    /// Whether a second one changes nothing.
    var isRepeatable: Bool { method == "GET" || method == "DELETE" || headers[Request.idempotencyKey] != nil }
}

/// An answer whose body is read while it arrives.
struct Answer {
    let head: HTTPURLResponse
    fileprivate var parts: Exchanges.Parts.Iterator
    fileprivate let explain: @Sendable (any Error) -> any Error

    func header(_ name: String) -> String? { head.value(forHTTPHeaderField: name) }

    /// The next piece of the body; nil after the last one.
    mutating func next() async throws -> Data? {
        do {
            while let part = try await parts.next() {
                if case .data(let data) = part { return data }
            }
        } catch {
            throw explain(error)
        }
        try Task.checkCancellation()  // a cancelled reader gets no more parts
        return nil
    }

    mutating func body() async throws -> Data {
        var body = Data()
        while let data = try await next() {
            body.append(data)
        }
        return body
    }
}

/// The connections to one gateway: requests with retries, and answers as values or errors.
///
/// Unchecked, because not every version of Foundation on Linux declares that URLSession is Sendable.
final class Transport: @unchecked Sendable {
    let patience: TimeInterval
    private let origin: URL?
    private let name: String
    private let key: String
    private let exchanges = Exchanges()
    private let session: URLSession

    init(baseURL: String, apiKey: String, patience: TimeInterval) {
        origin = Transport.origin(baseURL)
        name = baseURL.split(separator: "@").last.map(String.init) ?? ""  // without a password
        key = apiKey
        self.patience = patience
        let configuration = URLSessionConfiguration.ephemeral
        configuration.requestCachePolicy = .reloadIgnoringLocalCacheData
        // Each job that is followed keeps a connection open; by default four to six would stop all other requests.
        configuration.httpMaximumConnectionsPerHost = 256
        session = URLSession(configuration: configuration, delegate: exchanges, delegateQueue: nil)
    }

    deinit {
        session.finishTasksAndInvalidate()  // the session would keep its delegate forever
    }

    /// Sends a request and returns the body of its answer. It is repeated while the error is temporary and a second
    /// request changes nothing.
    func send(_ request: Request) async throws -> Data {
        var backoff = Backoff(patience: request.isRepeatable ? patience : 0)
        while true {
            do {
                var answer = try await open(request)
                return try await answer.body()
            } catch {
                try await backoff.wait(after: error)
            }
        }
    }

    func send<Value: Decodable>(_ request: Request, for type: Value.Type) async throws -> Value {
        try decodeAnswer(type, from: try await send(request))
    }

    /// Sends a request once and returns its answer, which is a success.
    func open(_ request: Request) async throws -> Answer {
        let url = try url(of: request)
        var parts = exchanges.start(session.dataTask(with: urlRequest(request, to: url))).makeAsyncIterator()
        let explain: @Sendable (any Error) -> any Error = { [name] in explained($0, name) }
        let first: AnswerPart?
        do {
            first = try await parts.next()
        } catch {
            throw explain(error)
        }
        try Task.checkCancellation()
        guard case .head(let head) = first else { throw explain(URLError(.badServerResponse)) }
        var answer = Answer(head: head, parts: parts, explain: explain)
        if !(200..<300).contains(head.statusCode) {
            throw refusal(head, body: try await answer.body())
        }
        return answer
    }

    private func url(of request: Request) throws -> URL {
        guard let origin, var parts = URLComponents(url: origin, resolvingAgainstBaseURL: false) else {
            throw MusicGenError.invalidURL(
                "\(name) is not a gateway URL. Give scheme, host and port only, such as http://127.0.0.1:8000.")
        }
        parts.percentEncodedPath = request.path
        parts.queryItems = request.query.isEmpty ? nil : request.query
        guard let url = parts.url else { throw MusicGenError.invalidURL("\(request.path) is not a path.") }
        return url
    }

    private func urlRequest(_ request: Request, to url: URL) -> URLRequest {
        var made = URLRequest(url: url, timeoutInterval: request.timeout)
        made.httpMethod = request.method
        made.httpBody = request.body
        made.allHTTPHeaderFields = request.headers
        if !key.isEmpty { made.setValue("Bearer \(key)", forHTTPHeaderField: "Authorization") }
        return made
    }

    private func refusal(_ head: HTTPURLResponse, body: Data) -> MusicGenError {
        let unknown = "\(name) answered \(head.statusCode) in an unknown format. Check that it is a gateway."
        if head.statusCode < 400 { return .unexpectedAnswer(unknown) }
        let retryAfter = head.value(forHTTPHeaderField: "Retry-After")
        return MusicGenError(Problem(status: head.statusCode, body: body, retryAfter: retryAfter, unknown: unknown))
    }

    private static func origin(_ baseURL: String) -> URL? {
        guard let url = URLComponents(string: baseURL), ["http", "https"].contains(url.scheme ?? ""),
            !(url.host ?? "").isEmpty, ["", "/"].contains(url.path), url.user == nil, url.query == nil
        else { return nil }
        return url.url
    }
}

/// An error of a connection as one of this package.
private func explained(_ error: any Error, _ name: String) -> any Error {
    switch (error as? URLError)?.code {
    case .cancelled? where Task.isCancelled:
        return CancellationError()
    case .timedOut?:
        return MusicGenError.timedOut("The gateway at \(name) accepts connections but does not answer. Check its log.")
    case .secureConnectionFailed?, .serverCertificateUntrusted?, .serverCertificateHasBadDate?,
        .serverCertificateHasUnknownRoot?, .serverCertificateNotYetValid?, .clientCertificateRequired?:
        return MusicGenError.certificate(
            "TLS to \(name) fails: \(error.localizedDescription). Fix the certificate, or correct the URL.")
    default:
        return MusicGenError.unreachable("No gateway answers at \(name). Start it, or correct the URL.")
    }
}
