import Foundation

/// The events of a job, up to the last one. They go on after a broken connection: no lifecycle event is missed or
/// repeated.
///
/// They are read as Server-Sent Events, because Foundation has no WebSockets on some platforms.
public struct JobEvents: AsyncSequence, Sendable {
    public typealias Element = JobEvent

    let transport: Transport
    let jobID: String
    let afterSeq: Int?

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(transport: transport, jobID: jobID, afterSeq: afterSeq)
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        private let transport: Transport
        private let jobID: String
        private var afterSeq: Int?
        private var connection: EventConnection?
        private var backoff: Backoff
        private var ended = false

        init(transport: Transport, jobID: String, afterSeq: Int?) {
            self.transport = transport
            self.jobID = jobID
            self.afterSeq = afterSeq
            backoff = Backoff(patience: transport.patience)
        }

        public mutating func next() async throws -> JobEvent? {
            while !ended {
                do {
                    if let event = try await received() { return event }
                } catch {
                    connection = nil
                    try await backoff.wait(after: error)
                }
            }
            return nil
        }

        /// The next event of the connection, which is opened if there is none; nil if the job has none left.
        private mutating func received() async throws -> JobEvent? {
            if connection == nil {
                connection = try await EventConnection(transport, jobID, afterSeq: afterSeq)
            }
            guard let event = try await connection?.next() else {
                ended = true
                return nil
            }
            backoff.reset()
            // The gateway repeats the latest event after a reconnect.
            if let afterSeq, event.seq <= afterSeq, !event.status.isTerminal { return nil }
            afterSeq = event.seq
            ended = event.status.isTerminal
            return event
        }
    }
}

/// One connection that sends the events of a job.
private struct EventConnection {
    /// The gateway sends a comment after 15 seconds without an event.
    private static let silence: TimeInterval = 45

    private var answer: Answer
    private var parser = EventParser()
    private var waiting: [Data] = []

    init(_ transport: Transport, _ jobID: String, afterSeq: Int?) async throws {
        var request = Request(path: "/api/v1/jobs/\(escaped(jobID))/events", timeout: EventConnection.silence)
        request.headers = ["Accept": "text/event-stream"]
        if let afterSeq { request.headers["Last-Event-ID"] = String(afterSeq) }
        answer = try await transport.open(request)
    }

    /// The next event; nil if the client has the last one already.
    mutating func next() async throws -> JobEvent? {
        while waiting.isEmpty {
            guard let data = try await answer.next() else {
                if answer.head.statusCode == 204 { return nil }
                throw MusicGenError.unreachable("The gateway closed the connection.")
            }
            waiting = parser.events(in: data)
        }
        return try decodeAnswer(JobEvent.self, from: waiting.removeFirst())
    }
}

/// Reads the data of Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
struct EventParser {
    private var line = Data()
    private var lines: [Data] = []
    private var previous: UInt8 = 0

    /// The events that end in this piece of the stream.
    mutating func events(in data: Data) -> [Data] {
        var found: [Data] = []
        for byte in data {
            if byte == UInt8(ascii: "\n") && previous == UInt8(ascii: "\r") {
                // The second half of a line's end.
            } else if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
                found += endLine()
            } else {
                line.append(byte)
            }
            previous = byte
        }
        return found
    }

    /// An event, if the line is the empty one that ends it.
    private mutating func endLine() -> [Data] {
        defer { line.removeAll() }
        if line.isEmpty {
            defer { lines.removeAll() }
            return lines.isEmpty ? [] : [Data(lines.joined(separator: [UInt8(ascii: "\n")]))]
        }
        let field = Data("data:".utf8)
        if line.starts(with: field) {
            let value = line.dropFirst(field.count)
            lines.append(value.first == UInt8(ascii: " ") ? value.dropFirst() : value)
        }
        return []
    }
}
