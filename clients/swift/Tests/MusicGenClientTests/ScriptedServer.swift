import Foundation

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A server on a real socket that gives its answers, one for each connection, and closes it.
final class ScriptedServer: @unchecked Sendable {
    let url: String
    private let socket: Int32
    private let lock = NSLock()
    private var received: [String] = []

    /// The requests so far, each with its body.
    var requests: [String] {
        lock.lock()
        defer { lock.unlock() }
        return received
    }

    /// - Parameter answers: whole HTTP answers. An empty one closes the connection without any.
    init(_ answers: [String]) throws {
        signal(SIGPIPE, SIG_IGN)
        #if canImport(Glibc)
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #elseif canImport(Musl)
        socket = Musl.socket(AF_INET, SOCK_STREAM, 0)
        #else
        socket = Darwin.socket(AF_INET, SOCK_STREAM, 0)
        #endif
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listening = socket
        let port = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> Bool in
                bind(listening, address, size) == 0 && listen(listening, 16) == 0
                    && getsockname(listening, address, &size) == 0
            }
        } ? UInt16(bigEndian: address.sin_port) : 0
        guard port != 0 else { throw POSIXError(.EADDRNOTAVAIL) }
        url = "http://127.0.0.1:\(port)"
        Thread.detachNewThread { [self] in answers.forEach(serve) }
    }

    deinit { close(socket) }

    private func serve(_ answer: String) {
        let connection = accept(socket, nil, nil)
        defer { close(connection) }
        var request = Data()
        var buffer = [UInt8](repeating: 0, count: 65536)
        while !isComplete(request) {
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            request.append(contentsOf: buffer[..<count])
        }
        lock.lock()
        received.append(String(decoding: request, as: UTF8.self))
        lock.unlock()
        _ = Array(answer.utf8).withUnsafeBytes { send(connection, $0.baseAddress, $0.count, 0) }
        shutdown(connection, Int32(SHUT_WR))
        while recv(connection, &buffer, buffer.count, 0) > 0 {}  // until the client has read all
    }

    private func isComplete(_ request: Data) -> Bool {
        let text = String(decoding: request, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { return false }
        let length = text.lowercased().range(of: "content-length: ").map {
            Int(text.lowercased()[$0.upperBound...].prefix { $0.isNumber }) ?? 0
        }
        return text[end.upperBound...].utf8.count >= length ?? 0
    }
}

/// An HTTP answer.
func http(_ status: Int, _ body: String, type: String = "application/json", headers: [String] = []) -> String {
    let lines = [
        "HTTP/1.1 \(status) Status", "Content-Type: \(type)", "Content-Length: \(body.utf8.count)", "Connection: close",
    ]
    return (lines + headers).joined(separator: "\r\n") + "\r\n\r\n" + body
}
