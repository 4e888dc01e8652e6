import Foundation
#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// What arrives of one answer, in this order: its head, and the body in pieces.
enum AnswerPart: Sendable {
    case head(HTTPURLResponse)
    case data(Data)
}

/// Hands the parts of each answer to its reader as they arrive. Redirects are not followed: the gateway's own answers
/// have checksums, and no other server's page may become a file.
///
/// Unchecked, because the lock guards `readers`.
final class Exchanges: NSObject, URLSessionDataDelegate, @unchecked Sendable {
    typealias Parts = AsyncThrowingStream<AnswerPart, any Error>

    private let lock = NSLock()
    private var readers: [Int: Parts.Continuation] = [:]

    /// Starts a task. A reader that stops reading, or is cancelled, cancels it.
    func start(_ task: URLSessionTask) -> Parts {
        Parts { reader in
            lock.lock()
            readers[task.taskIdentifier] = reader
            lock.unlock()
            reader.onTermination = { _ in task.cancel() }
            task.resume()
        }
    }

    private func reader(of task: URLSessionTask) -> Parts.Continuation? {
        lock.lock()
        defer { lock.unlock() }
        return readers[task.taskIdentifier]
    }

    func urlSession(
        _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
        completionHandler: @escaping (URLSession.ResponseDisposition) -> Void
    ) {
        if let head = response as? HTTPURLResponse {
            reader(of: dataTask)?.yield(.head(head))
        }
        completionHandler(.allow)
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        reader(of: dataTask)?.yield(.data(data))
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        reader(of: task)?.finish(throwing: error)
        lock.lock()
        readers[task.taskIdentifier] = nil
        lock.unlock()
    }

    func urlSession(
        _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
        newRequest request: URLRequest, completionHandler: @escaping (URLRequest?) -> Void
    ) {
        completionHandler(nil)
    }
}
