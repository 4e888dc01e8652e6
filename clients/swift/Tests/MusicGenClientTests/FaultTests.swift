import XCTest

@testable import MusicGenClient

/// What the client does when the gateway is away, busy or another server, over a real socket.
final class FaultTests: XCTestCase {
    private static let accepted = """
        {"job_id": "gen_abc000000000", "status": "queued", "message": "m", "created_at": "2024-12-01T10:00:00.000Z"}
        """
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    private var target: URL { folder.appendingPathComponent("take.wav") }

    override func setUpWithError() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    override func tearDownWithError() throws {
        try FileManager.default.removeItem(at: folder)
    }

    func testARequestForMusicIsRepeatedWithItsKey() async throws {
        let busy = http(503, #"{"detail": "Busy."}"#, headers: ["Retry-After: 0"])
        let server = try ScriptedServer([busy, "", http(200, FaultTests.accepted)])
        let job = try await MusicGenClient(baseURL: server.url).generateMusic(GenerationRequest(prompt: "piano"))
        XCTAssertEqual(job, "gen_abc000000000")
        let keys = server.requests.map { header("Idempotency-Key", of: $0) }
        XCTAssertEqual(keys.count, 3)
        XCTAssertEqual(Set(keys).count, 1)
        XCTAssertNotNil(keys[0])
        XCTAssertTrue(server.requests.allSatisfy { $0.hasSuffix(#"{"prompt":"piano"}"#) })
    }

    func testARefusedRequestIsNotRepeated() async throws {
        let refusal = http(422, #"{"detail": "duration: too long"}"#)
        let server = try ScriptedServer([refusal, http(200, FaultTests.accepted)])
        do {
            _ = try await MusicGenClient(baseURL: server.url).generateMusic(GenerationRequest(prompt: "piano"))
            XCTFail("the request was accepted")
        } catch MusicGenError.invalidRequest(let problem) {
            XCTAssertEqual(problem.detail, "duration: too long")
        }
        XCTAssertEqual(server.requests.count, 1)
    }

    func testAnUploadIsSentOnce() async throws {
        try Data("RIFF".utf8).write(to: target)
        let server = try ScriptedServer([http(503, #"{"detail": "Busy."}"#), http(200, "{}")])
        do {
            _ = try await MusicGenClient(baseURL: server.url).uploadAudio(target)
            XCTFail("the upload was repeated")
        } catch MusicGenError.unavailable(let problem) {
            XCTAssertEqual(problem.detail, "Busy.")
        }
        XCTAssertTrue(server.requests[0].hasSuffix("RIFF"))
    }

    func testTheKeyIsSent() async throws {
        let server = try ScriptedServer([http(200, FaultTests.accepted)])
        _ = try await MusicGenClient(baseURL: server.url, apiKey: "secret").generateMusic(recipe: .object([:]))
        XCTAssertEqual(header("Authorization", of: server.requests[0]), "Bearer secret")
    }

    func testAnErrorIsNeverSavedAsAudio() async throws {
        let damaged = "RIFF, but other bytes"
        let cut = http(200, damaged + "!", type: "audio/wav").replacingOccurrences(of: "!", with: "")
        let refusals: [(String, String)] = [
            (http(410, #"{"detail": "Expired."}"#), "expired"),
            (http(500, "<html>oops</html>", type: "text/html"), "unavailable"),
            (http(302, "", headers: ["Location: /login"]), "unexpectedAnswer"),
            (http(200, damaged, type: "audio/wav"), "transfer"),
            (http(200, "<html>log in</html>", type: "text/html"), "unexpectedAnswer"),
            (http(206, damaged, type: "audio/wav"), "unexpectedAnswer"),
            (cut, "transfer"),
        ]
        for (answer, kind) in refusals {
            try Data("an earlier take".utf8).write(to: target)
            let server = try ScriptedServer([http(200, try completed()), answer, http(200, "<html>login page</html>")])
            do {
                try await MusicGenClient(baseURL: server.url, patience: 0).downloadAudio("gen_abc000000005", to: target)
                XCTFail("\(answer) was saved")
            } catch let error as MusicGenError {
                XCTAssertTrue("\(Mirror(reflecting: error).children.first?.label ?? "")" == kind, "\(kind): \(error)")
            }
            XCTAssertEqual(try String(contentsOf: target, encoding: .utf8), "an earlier take")
            XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: folder.path), ["take.wav"])
        }
    }

    func testAFileWithItsChecksumIsSaved() async throws {
        let bytes = "RIFF and so on"
        var digest = SHA256()
        digest.update(Data(bytes.utf8))
        let sha256 = digest.finalize().map { String(format: "%02x", $0) }.joined()
        let server = try ScriptedServer([
            http(200, try completed(sha256: sha256)), http(200, bytes, type: "audio/wav"),
        ])
        let saved = try await MusicGenClient(baseURL: server.url).downloadAudio("gen_abc000000005", to: target)
        XCTAssertEqual(saved, target)
        XCTAssertEqual(try String(contentsOf: target, encoding: .utf8), bytes)
        XCTAssertTrue(server.requests[1].hasPrefix("GET /api/v1/download/gen_abc000000005?proxy=1 "))
    }

    func testEventsGoOnAfterABrokenConnection() async throws {
        let stream = { (events: String) in http(200, events, type: "text/event-stream") }
        let server = try ScriptedServer([
            stream(event("queued", 1) + event("processing", 2) + "data: {\"seq\""),
            "",
            http(503, #"{"detail": "Busy."}"#),
            stream(event("processing", 2) + event("progress", 4) + event("completed", 5) + event("queued", 6)),
        ])
        var seen: [Int] = []
        for try await event in MusicGenClient(baseURL: server.url).events("gen_abc000000000") {
            seen.append(event.seq)
        }
        XCTAssertEqual(seen, [1, 2, 4, 5])
        XCTAssertEqual(server.requests.map { header("Last-Event-ID", of: $0) }, [nil, "2", "2", "2"])
    }

    func testThereAreNoEventsAfterTheLastOne() async throws {
        let server = try ScriptedServer([http(204, "")])
        for try await event in MusicGenClient(baseURL: server.url).events("gen_abc000000000", afterSeq: 5) {
            XCTFail("\(event)")
        }
        XCTAssertEqual(header("Last-Event-ID", of: server.requests[0]), "5")
    }

    func testWithoutAGatewayTheErrorNamesIt() async throws {
        for url in ["http://127.0.0.1:1", "https://127.0.0.1:1"] {
            do {
                _ = try await MusicGenClient(baseURL: url, patience: 0).getStatus("gen_abc000000000")
                XCTFail("\(url) answered")
            } catch MusicGenError.unreachable(let text) {
                XCTAssertTrue(text.contains(url), text)
            }
        }
    }

    func testAnInvalidURLIsAnError() async throws {
        for url in ["", "localhost:8000", "ftp://a", "http://", "http://a/path", "http://user:pw@a", "http://a?b"] {
            do {
                _ = try await MusicGenClient(baseURL: url).getStatus("gen_abc000000000")
                XCTFail("\(url) was accepted")
            } catch MusicGenError.invalidURL(let text) {
                XCTAssertFalse(text.contains("pw"), text)
            }
        }
    }

    private func completed(sha256: String? = nil) throws -> String {
        let body = try vectors("answers").first { $0["name"] == .string("completed") }?["body"]
        let text = String(decoding: try JSONEncoder().encode(try XCTUnwrap(body)), as: UTF8.self)
        return text.replacingOccurrences(of: String(repeating: "ab", count: 32), with: sha256 ?? "0")
    }

    private func event(_ type: String, _ seq: Int) -> String {
        let status = type == "progress" ? "processing" : type
        return """
            id: \(seq)
            data: {"type": "\(type)", "job_id": "gen_abc000000000", "seq": \(seq), "status": "\(status)", "progress": 0,\
             "message": "m", "at": "2024-12-01T10:00:00.000Z"}


            """
    }

    private func header(_ name: String, of request: String) -> String? {
        request.components(separatedBy: "\r\n").first { $0.lowercased().hasPrefix(name.lowercased() + ": ") }
            .map { String($0.dropFirst(name.count + 2)) }
    }
}
