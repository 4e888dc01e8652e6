import Foundation

/// What can go wrong. Each text says what to do next. A cancelled task throws `CancellationError` instead.
public enum MusicGenError: Error, Sendable {
    /// The request has an invalid field: see `errors` of the problem.
    case invalidRequest(Problem)
    /// The API key is missing, unknown, or not allowed to do this.
    case authentication(Problem)
    /// There is no such job or file.
    case notFound(Problem)
    /// The job is not in the right state, such as a cancel of a finished one.
    case conflict(Problem)
    /// The audio is no longer stored: `generateMusic(recipe:)` with the problem's `recipe` makes it again.
    case expired(Problem)
    /// A limit of the API key is reached: `retryAfter` of the problem says when to try again.
    case tooManyRequests(Problem)
    /// The service is temporarily unavailable, or failed.
    case unavailable(Problem)
    /// The gateway refused for another reason.
    case refused(Problem)
    /// The job ended without a result. Its status is failed or cancelled; a cancelled job may have kept its audio.
    case jobFailed(JobView)
    /// The URL is not that of a gateway.
    case invalidURL(String)
    /// No connection to the gateway can be made, or it broke off.
    case unreachable(String)
    /// The gateway accepts connections, but does not answer in time.
    case timedOut(String)
    /// The gateway's TLS certificate is not trusted.
    case certificate(String)
    /// The answer is not one of a gateway, or of a version that this client does not know.
    case unexpectedAnswer(String)
    /// A download broke off, or its bytes differ from the stored file. Nothing was saved.
    case transfer(String)
    /// A webhook is unsigned, altered, too old, or signed with another secret. Do not act on it.
    case webhook(String)

    /// The gateway's own description of the error; nil if it does not come from the gateway.
    public var problem: Problem? {
        switch self {
        case .invalidRequest(let problem), .authentication(let problem), .notFound(let problem),
            .conflict(let problem), .expired(let problem), .tooManyRequests(let problem),
            .unavailable(let problem), .refused(let problem):
            return problem
        default:
            return nil
        }
    }

    init(_ problem: Problem) {
        switch problem.status {
        case 400, 413, 422: self = .invalidRequest(problem)
        case 401, 403: self = .authentication(problem)
        case 404: self = .notFound(problem)
        case 409: self = .conflict(problem)
        case 410: self = .expired(problem)
        case 429: self = .tooManyRequests(problem)
        case 500...: self = .unavailable(problem)
        default: self = .refused(problem)
        }
    }
}

extension MusicGenError: LocalizedError, CustomStringConvertible {
    public var description: String {
        switch self {
        case .jobFailed(let view): return "\(view.jobID) \(view.status): \(view.errorMessage ?? view.message)"
        case .invalidURL(let text), .unreachable(let text), .timedOut(let text), .certificate(let text),
            .unexpectedAnswer(let text), .transfer(let text), .webhook(let text):
            return text
        default: return problem?.detail ?? ""
        }
    }

    public var errorDescription: String? { description }
}

/// An error as the gateway describes it, after RFC 9457.
public struct Problem: Sendable, Equatable {
    /// An invalid field of a request.
    public struct FieldError: Decodable, Sendable, Equatable {
        public let field: String
        public let message: String
    }

    /// The HTTP status.
    public let status: Int
    /// The error, and what to do next.
    public let detail: String
    /// The invalid fields of a request.
    public let errors: [FieldError]
    /// Identifies the request in the gateway's log.
    public let requestID: String?
    /// Of expired audio: `generateMusic(recipe:)` makes it again.
    public let recipe: JSONValue?
    /// Seconds after which the same request may succeed.
    public let retryAfter: TimeInterval?

    /// Reads an answer. Another server's error has the detail `unknown`.
    init(status: Int, body: Data, retryAfter: String?, unknown: String) {
        let found = try? decodeAnswer(Body.self, from: body)
        self.status = status
        detail = found?.detail ?? unknown
        errors = found?.errors ?? []
        requestID = found?.requestID
        recipe = found?.recipe
        self.retryAfter = retryAfter.flatMap(UInt.init).map(TimeInterval.init)
    }

    private struct Body: Decodable {
        let detail: String?
        let errors: [FieldError]
        let requestID: String?
        let recipe: JSONValue?

        init(from decoder: Decoder) throws {
            let fields = try Fields(decoder)
            detail = try fields.optional("detail")
            errors = try fields.list("errors")
            requestID = try fields.optional("request_id")
            recipe = try fields.optional("recipe")
        }
    }
}
