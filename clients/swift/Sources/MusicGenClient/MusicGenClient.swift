import Foundation

/// A client of one gateway. Every method throws a `MusicGenError` if the gateway refuses, or stays away longer than
/// patience lasts, and `CancellationError` if its task is cancelled.
public final class MusicGenClient: Sendable {
    let transport: Transport

    /// - Parameters:
    ///   - baseURL: scheme, host and port; nil takes MUSICGEN_URL, else the default port of this machine.
    ///   - apiKey: nil takes MUSICGEN_API_KEY, if it is set.
    ///   - patience: seconds for which a request is repeated while the gateway is away or busy; 0 sends it once.
    public init(baseURL: String? = nil, apiKey: String? = nil, patience: TimeInterval = 60) {
        let environment = ProcessInfo.processInfo.environment
        transport = Transport(
            baseURL: baseURL ?? environment["MUSICGEN_URL"] ?? "http://127.0.0.1:8000",
            apiKey: apiKey ?? environment["MUSICGEN_API_KEY"] ?? "", patience: patience)
    }

    /// Asks for music and returns the job's id. The request is repeated while the gateway is away or busy, and still
    /// makes one job only.
    ///
    /// - Parameter idempotencyKey: requests with the same key are the same job.
    public func generateMusic(
        _ request: GenerationRequest, idempotencyKey: String = UUID().uuidString
    ) async throws -> String {
        try await accepted("/api/v1/generate", request, idempotencyKey)
    }

    /// Makes the music of a `recipe` again: that of a job, or of the error for expired audio.
    public func generateMusic(
        recipe: JSONValue, idempotencyKey: String = UUID().uuidString
    ) async throws -> String {
        try await accepted("/api/v1/generate", recipe, idempotencyKey)
    }

    /// The present state of a job.
    public func getStatus(_ jobID: String) async throws -> JobView {
        try await transport.send(Request(path: "/api/v1/status/\(escaped(jobID))"), for: JobView.self)
    }

    /// The current state of a job as an event, and then every event up to the last one.
    ///
    /// - Parameter afterSeq: the `seq` of the last event that is known: begins after it.
    public func events(_ jobID: String, afterSeq: Int? = nil) -> JobEvents {
        JobEvents(transport: transport, jobID: jobID, afterSeq: afterSeq)
    }

    /// Waits for the job's end, and returns its final state.
    ///
    /// - Throws: `MusicGenError.jobFailed` if it failed or was cancelled.
    public func waitForCompletion(_ jobID: String) async throws -> JobView {
        var view = try await getStatus(jobID)
        if !view.status.isTerminal {
            for try await _ in events(jobID) {}
            view = try await getStatus(jobID)
        }
        guard view.status == .completed else { throw MusicGenError.jobFailed(view) }
        return view
    }

    /// The ids of all jobs of a request with `variations`, in their order; this one alone without them.
    public func takes(of jobID: String) async throws -> [String] {
        let takes = try await getStatus(jobID).takes.map(\.jobID)
        return takes.isEmpty ? [jobID] : takes
    }

    /// Cancels a job and returns the gateway's confirmation.
    ///
    /// - Parameters:
    ///   - keep: whether to store the audio that was made so far.
    ///   - takes: whether to cancel all takes of the job's request.
    /// - Throws: `MusicGenError.conflict` if the job is finished.
    @discardableResult
    public func cancel(_ jobID: String, keep: Bool = false, takes: Bool = false) async throws -> String {
        var request = Request(method: "DELETE", path: "/api/v1/jobs/\(escaped(jobID))")
        request.query = [("keep", keep), ("takes", takes)].filter(\.1).map { URLQueryItem(name: $0.0, value: "1") }
        return try await transport.send(request, for: Message.self).message
    }

    /// A page of jobs, newest first.
    ///
    /// - Parameters:
    ///   - limit: the most jobs in the page, 1 to 200.
    ///   - status: only jobs in this status.
    ///   - cursor: the `nextCursor` of the page before.
    public func listJobs(
        limit: Int? = nil, status: JobStatus? = nil, cursor: String? = nil
    ) async throws -> JobList {
        let wanted = [("limit", limit.map(String.init)), ("status", status?.rawValue), ("cursor", cursor)]
        let query = wanted.filter { $0.1 != nil }.map { URLQueryItem(name: $0.0, value: $0.1) }
        return try await transport.send(Request(path: "/api/v1/jobs", query: query), for: JobList.self)
    }

    /// Starts a child of a take in which a share of the bars is composed again, and returns its id.
    public func vary(
        _ jobID: String, _ request: VaryRequest = VaryRequest(), idempotencyKey: String = UUID().uuidString
    ) async throws -> String {
        try await accepted("/api/v1/jobs/\(escaped(jobID))/vary", request, idempotencyKey)
    }

    /// Starts a child of a take that is longer at its end or its start, and returns its id.
    public func extend(
        _ jobID: String, _ request: ExtendRequest, idempotencyKey: String = UUID().uuidString
    ) async throws -> String {
        try await accepted("/api/v1/jobs/\(escaped(jobID))/extend", request, idempotencyKey)
    }

    /// Starts a child of a take in which some bars are composed again, and returns its id.
    public func replace(
        _ jobID: String, _ request: ReplaceRequest, idempotencyKey: String = UUID().uuidString
    ) async throws -> String {
        try await accepted("/api/v1/jobs/\(escaped(jobID))/replace", request, idempotencyKey)
    }

    /// The whole family of a take, the oldest first.
    public func lineage(_ jobID: String) async throws -> [LineageEntry] {
        try await transport.send(Request(path: "/api/v1/jobs/\(escaped(jobID))/lineage"), for: Lineage.self).jobs
    }

    /// Sends any other request, such as POST /api/v1/prompt/parse, and returns the JSON of its answer.
    public func request(_ method: String, _ path: String, body: JSONValue? = nil) async throws -> JSONValue {
        let request = Request(method: method, path: path)
        return try await transport.send(try body.map { try request.with(json: $0) } ?? request, for: JSONValue.self)
    }

    private func accepted(_ path: String, _ body: some Encodable, _ idempotencyKey: String) async throws -> String {
        var request = try Request(method: "POST", path: path).with(json: body)
        request.headers[Request.idempotencyKey] = idempotencyKey
        return try await transport.send(request, for: JobAccepted.self).jobID
    }
}

extension Request {
    func with(json body: some Encodable) throws -> Request {
        var request = self
        request.body = try JSONEncoder().encode(body)
        request.headers["Content-Type"] = "application/json"
        return request
    }
}

/// A segment of a path.
func escaped(_ segment: String) -> String {
    let unreserved = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
    return segment.addingPercentEncoding(withAllowedCharacters: unreserved) ?? ""
}
