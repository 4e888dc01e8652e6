import Foundation

/// The pauses between the attempts at one request: which errors pass by themselves, and how long to wait for that.
struct Backoff {
    /// Seconds before the first retry, and the longest pause; pauses double in between.
    private static let firstDelay = 0.5, longestDelay = 8.0
    private static let temporaryStatuses: Set<Int> = [429, 502, 503, 504]

    private let patience: TimeInterval
    private var delay = Backoff.firstDelay
    private var deadline: Date

    /// - Parameter patience: seconds after which the last error is thrown; 0 allows one attempt.
    init(patience: TimeInterval) {
        self.patience = patience
        deadline = Date(timeIntervalSinceNow: patience)
    }

    /// Begins again, after a success.
    mutating func reset() {
        self = Backoff(patience: patience)
    }

    /// Waits until the next attempt: as long as the gateway asks for, at least for a growing, random pause.
    ///
    /// - Throws: the error itself, if it is permanent or patience ends before the next attempt.
    mutating func wait(after error: any Error) async throws {
        let pause = max((error as? MusicGenError)?.problem?.retryAfter ?? 0, delay * .random(in: 0.5...1))
        guard Backoff.isTemporary(error), Date(timeIntervalSinceNow: pause) <= deadline else { throw error }
        delay = min(2 * delay, Backoff.longestDelay)
        try await Task.sleep(nanoseconds: UInt64(pause * 1e9))
    }

    private static func isTemporary(_ error: any Error) -> Bool {
        switch error as? MusicGenError {
        case .unreachable, .timedOut: return true
        case let error?: return temporaryStatuses.contains(error.problem?.status ?? 0)
        case nil: return false
        }
    }
}
