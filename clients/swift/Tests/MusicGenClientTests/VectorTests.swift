import XCTest

@testable import MusicGenClient

/// The vectors that the tests of every client share, in clients/vectors.
final class VectorTests: XCTestCase {
    func testRequestsAreBuiltFromTypes() throws {
        let requests: [String: GenerationRequest] = [
            "words alone": GenerationRequest(prompt: "tone"),
            "components": GenerationRequest(
                components: PromptComponents(genre: "house", instruments: ["piano"]), duration: 1),
            "every kind of field": GenerationRequest(
                prompt: "tone ♯ \"quoted\"", negativePrompt: "drums, vocals", bars: 1, bpm: 124.5, meter: "4/4",
                key: "A minor", loop: true, seed: .max, model: "starter", temperature: 1.5, topK: 0, topP: 0.5,
                cfgCoef: 2, format: .flac, sampleRate: 48000, sampleFormat: .int24, loudness: -14, title: "Küche",
                outputs: [.midi, .stems], variations: 2, priority: .batch, cache: false),
            "a webhook": GenerationRequest(
                prompt: "tone", webhook: "https://studio.example.com/hooks/music",
                webhookEvents: [.processing, .completed]),
            "audio to continue": GenerationRequest(
                prompt: "rock", duration: 20, model: "small",
                audio: AudioConditions(continueFrom: AudioSource(audioID: "aud_abc000000001", start: 0.5, end: 1.5))),
            "a melody": GenerationRequest(
                prompt: "flute", duration: 4, model: "melody",
                audio: AudioConditions(melody: AudioSource(audioID: "aud_abc000000001"))),
            "a score": GenerationRequest(
                title: "Second verse", outputs: [.midi, .stems],
                score: ScoreSource(
                    audioID: "aud_abc000000000", action: "play", programs: ["part 1": 73], instruments: ["part 1"])),
        ]
        for vector in try vectors("requests") {
            let request = try XCTUnwrap(requests[label(vector)], "no request for \(label(vector))")
            XCTAssertEqual(try json(request), vector["body"], label(vector))
        }
    }

    func testChildrenAreBuiltFromTypes() throws {
        let hook = "https://studio.example.com/hooks/music"
        let bodies: [String: JSONValue] = [
            "vary": try json(
                VaryRequest(
                    strength: 0.25, instruments: ["bass"], seed: 7, outputs: [.stems], title: "Küche", webhook: hook,
                    webhookEvents: [.completed])),
            "extend": try json(
                ExtendRequest(
                    bars: 1, at: .start, prompt: "busy", seed: 7, outputs: [.midi], title: "Küche", webhook: hook,
                    webhookEvents: [.queued])),
            "replace": try json(
                ReplaceRequest(
                    fromBar: 1, toBar: 2, instruments: ["bass"], prompt: "calm", seed: 7, outputs: [.midi],
                    title: "Küche", webhook: hook, webhookEvents: [.failed, .cancelled])),
        ]
        for vector in try vectors("children") {
            XCTAssertEqual(bodies[try text(vector["route"])], vector["body"])
        }
    }

    func testAnswersAreDecodedWithoutALoss() throws {
        for vector in try vectors("answers") {
            let body = try XCTUnwrap(vector["body"])
            switch vector["schema"] {
            case .string("JobView"): try compare(try body.decoded(as: JobView.self), with: body)
            case .string("JobAccepted"):
                let accepted = try body.decoded(as: JobAccepted.self)
                XCTAssertEqual(.string(accepted.jobID), body["job_id"])
                XCTAssertEqual(accepted.takes.map { .string($0.jobID) }, items(body["takes"]).map { $0["job_id"] })
            case .string("JobList"):
                let list = try body.decoded(as: JobList.self)
                XCTAssertEqual(.number(Double(list.total)), body["total"])
                for (view, original) in zip(list.jobs, items(body["jobs"])) { try compare(view, with: original) }
                XCTAssertEqual(list.jobs.count, items(body["jobs"]).count)
            case .string("Message"):
                XCTAssertEqual(.string(try body.decoded(as: Message.self).message), body["message"])
            case let schema: XCTFail("no type for the schema \(String(describing: schema))")
            }
        }
    }

    func testAnAnswerWithoutARequiredFieldNamesIt() throws {
        for name in ["job_id", "status", "progress", "message", "created_at"] {
            for wrong in [JSONValue.null, .array([.string("x")]), .bool(true)] {
                var fields = try completed()
                fields[name] = wrong
                XCTAssertThrowsError(try JSONValue.object(fields).decoded(as: JobView.self)) {
                    guard case MusicGenError.unexpectedAnswer(let text) = $0 else { return XCTFail("\($0)") }
                    XCTAssertTrue(text.contains(name), text)
                }
            }
        }
    }

    func testProblemsBecomeErrorsOfTheirStatus() throws {
        let kinds: [Double: (MusicGenError) -> Bool] = [
            400: { if case .invalidRequest = $0 { true } else { false } },
            401: { if case .authentication = $0 { true } else { false } },
            404: { if case .notFound = $0 { true } else { false } },
            409: { if case .conflict = $0 { true } else { false } },
            410: { if case .expired(let problem) = $0 { problem.recipe != nil } else { false } },
            422: { if case .invalidRequest(let problem) = $0 { problem.errors[0].field == "duration" } else { false } },
            429: { if case .tooManyRequests(let problem) = $0 { problem.retryAfter == 10 } else { false } },
        ]
        for vector in try vectors("problems") {
            guard case .number(let status) = vector["status"], let body = vector["body"] else { return XCTFail() }
            var retryAfter: String?
            if case .string(let seconds) = vector["headers"]?["Retry-After"] { retryAfter = seconds }
            let problem = Problem(
                status: Int(status), body: try JSONEncoder().encode(body), retryAfter: retryAfter, unknown: "unknown")
            let error = MusicGenError(problem)
            XCTAssertEqual(kinds[status]?(error), true, label(vector))
            XCTAssertEqual(.string(error.description), body["detail"])
            XCTAssertEqual(problem.requestID.map(JSONValue.string), body["request_id"])
        }
    }

    func testFramesWithASeqAreEvents() throws {
        for vector in try vectors("frames") {
            let frame = try XCTUnwrap(vector["frame"])
            guard frame["seq"] != nil else {
                XCTAssertThrowsError(try frame.decoded(as: JobEvent.self))
                continue
            }
            let event = try frame.decoded(as: JobEvent.self)
            XCTAssertEqual(.string(event.type), frame["type"])
            XCTAssertEqual(.string(event.jobID), frame["job_id"])
            XCTAssertEqual(.number(Double(event.seq)), frame["seq"])
            XCTAssertEqual(.string(event.status.rawValue), frame["status"])
            XCTAssertEqual(.number(event.progress), frame["progress"])
            XCTAssertEqual(.string(event.message), frame["message"])
            XCTAssertEqual(event.at, parseTime(try text(frame["at"])))
            XCTAssertEqual(optional(event.errorMessage), frame["error_message"])
            XCTAssertEqual(optional(event.audioURL), frame["audio_url"])
            XCTAssertEqual(event.outputs.map { .string($0.name) }, items(frame["outputs"]).map { $0["name"] })
        }
    }

    func testLiveAudioIsUnpackedOrRefused() throws {
        for vector in try vectors("audio_chunks") {
            let frame = try bytes(hex: text(vector["hex"]))
            if vector["samples"] == .null {
                XCTAssertThrowsError(try AudioChunk(frame: frame), label(vector))
            } else {
                let chunk = try AudioChunk(frame: frame)
                XCTAssertEqual(chunk.samples.map { .number(Double($0)) }, items(vector["samples"]))
                XCTAssertEqual(chunk.last, chunk.frames == 0)
            }
        }
    }

    func testTimesAreReadOrRefused() throws {
        for vector in try vectors("timestamps") {
            let text = try text(vector["text"])
            guard case .number(let milliseconds) = vector["milliseconds"] else {
                XCTAssertNil(parseTime(text), text)
                continue
            }
            let time = try XCTUnwrap(parseTime(text), text)
            XCTAssertEqual((time.timeIntervalSince1970 * 1000 + 1e-4).rounded(.down), milliseconds, text)
        }
    }

    func testWebhooksAreVerified() throws {
        for vector in try vectors("webhooks") {
            let headers = Dictionary(uniqueKeysWithValues: try ["id", "timestamp", "signature"].map {
                ("Webhook-\($0.capitalized)", try text(vector[$0]))
            })
            guard case .number(let now) = vector["now"] else { return XCTFail() }
            let body = Data(try text(vector["body"]).utf8)
            func verify(_ secrets: [String]) throws -> JSONValue {
                try verifyWebhook(body, headers: headers, secrets: secrets, now: Date(timeIntervalSince1970: now))
            }
            let secret = try text(vector["secret"])
            if vector["valid"] == .bool(true) {
                XCTAssertEqual(try verify([secret]), .object(["test": .number(2_432_232_314)]))
                XCTAssertNoThrow(try verify(["whsec_AAAA", secret]))
            } else {
                XCTAssertThrowsError(try verify([secret]), label(vector))
            }
            XCTAssertThrowsError(try verify([]))
            XCTAssertThrowsError(try verify(["whsec_!"]))
        }
    }

    /// The examples of FIPS 180-4's companion, and a message that ends at each place of a block.
    func testDigestsAreThoseOfTheStandard() {
        func hex(_ pieces: [Data]) -> String {
            var digest = SHA256()
            pieces.forEach { digest.update($0) }
            return digest.finalize().map { String(format: "%02x", $0) }.joined()
        }
        XCTAssertEqual(hex([]), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        XCTAssertEqual(
            hex([Data("abc".utf8)]), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        XCTAssertEqual(
            hex([Data("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8)]),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
        XCTAssertEqual(
            hex([Data](repeating: Data(repeating: 0x61, count: 1000), count: 1000)),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
        for length in 0...130 {
            let message = Data((0..<length).map { UInt8($0) })
            XCTAssertEqual(hex([message]), hex(message.map { Data([$0]) }))
        }
    }

    func testEventsAreReadInPiecesOfAnySize() {
        let stream = "retry: 1000\nid: 1\ndata: {\"a\":\ndata: 1}\n\n:\n\n\r\ndata:x\r\n\r\ndata: unfinished"
        for size in 1...stream.utf8.count {
            var parser = EventParser()
            var found: [String] = []
            let bytes = Array(stream.utf8)
            for start in Swift.stride(from: 0, to: bytes.count, by: size) {
                let piece = Data(bytes[start..<min(start + size, bytes.count)])
                found += parser.events(in: piece).map { String(decoding: $0, as: UTF8.self) }
            }
            XCTAssertEqual(found, ["{\"a\":\n1}", "x"])
        }
    }

    /// Every field of the body has arrived; null is nil, empty or false.
    private func compare(_ view: JobView, with body: JSONValue) throws {
        XCTAssertEqual(.string(view.jobID), body["job_id"])
        XCTAssertEqual(.string(view.status.rawValue), body["status"])
        XCTAssertEqual(.number(view.progress), body["progress"])
        XCTAssertEqual(.string(view.message), body["message"])
        XCTAssertEqual(view.createdAt, parseTime(try text(body["created_at"])))
        let times: [(String, Date?)] = [
            ("started_at", view.startedAt), ("completed_at", view.completedAt), ("cancel_at", view.cancelAt),
        ]
        for (name, time) in times {
            XCTAssertEqual(time, given(body[name]).flatMap { parseTime((try? text($0)) ?? "") }, name)
        }
        let texts: [(String, String?)] = [
            ("error_message", view.errorMessage), ("audio_url", view.audioURL), ("model", view.model),
            ("priority", view.priority?.rawValue), ("key", view.key), ("meter", view.meter), ("format", view.format),
            ("file_name", view.fileName), ("title", view.title), ("parent", view.parent), ("peaks_url", view.peaksURL),
        ]
        for (name, value) in texts { XCTAssertEqual(value.map(JSONValue.string), given(body[name]), name) }
        let numbers: [(String, Double?)] = [
            ("duration", view.duration), ("file_size", view.fileSize.map(Double.init)),
            ("actual_duration", view.actualDuration), ("seed", view.seed.map(Double.init)),
            ("queue_position", view.queuePosition.map(Double.init)), ("eta_seconds", view.etaSeconds),
            ("bpm", view.bpm), ("bars", view.bars.map(Double.init)), ("sample_rate", view.sampleRate.map(Double.init)),
        ]
        for (name, value) in numbers { XCTAssertEqual(value.map(JSONValue.number), given(body[name]), name) }
        XCTAssertEqual(.string(view.prompt), given(body["prompt"]) ?? .string(""))
        XCTAssertEqual(.number(Double(view.attempts)), given(body["attempts"]) ?? .number(0))
        let flags: [(String, Bool)] = [
            ("audio_expired", view.audioExpired), ("cached", view.cached), ("loop", view.loop),
        ]
        for (name, value) in flags { XCTAssertEqual(.bool(value), given(body[name]) ?? .bool(false), name) }
        XCTAssertEqual(view.recipe, given(body["recipe"]))
        XCTAssertEqual(view.composed, given(body["composed"]))
        XCTAssertEqual(view.warnings.map(JSONValue.string), items(body["warnings"]))
        XCTAssertEqual(view.ignored.map(JSONValue.string), items(body["ignored"]))
        try compareObjects(view, with: body)
    }

    private func compareObjects(_ view: JobView, with body: JSONValue) throws {
        XCTAssertEqual((view.audio?.sha256).map(JSONValue.string), given(body["audio"])?["sha256"])
        XCTAssertEqual(view.outputs, try items(body["outputs"]).map { try $0.decoded(as: OutputLink.self) })
        XCTAssertEqual(view.takes.map { .number(Double($0.seed)) }, items(body["takes"]).map { $0["seed"] })
        XCTAssertEqual(view.instruments.map { .string($0.stream) }, items(body["instruments"]).map { $0["stream"] })
        XCTAssertEqual(view.sections.map { .number($0.start) }, items(body["sections"]).map { $0["start"] })
        XCTAssertEqual(view.understood.map { .string($0.meaning) }, items(body["understood"]).map { $0["as"] })
        XCTAssertEqual(
            view.ignoredBecause.map { .string($0.because) }, items(body["ignored_because"]).map { $0["because"] })
        guard let measured = given(body["measured"]) else { return XCTAssertNil(view.measured) }
        XCTAssertEqual(optional(view.measured?.lufs), measured["lufs"] ?? .null)
        XCTAssertEqual(optional(view.measured?.truePeak), measured["true_peak_dbtp"] ?? .null)
        XCTAssertEqual(optional(view.measured?.bpmConfidence), measured["bpm_confidence"] ?? .null)
        XCTAssertEqual(view.measured?.downbeats.map(JSONValue.number), items(measured["downbeats"]))
    }

    private func completed() throws -> [String: JSONValue] {
        let vector = try vectors("answers").first { label($0) == "completed" }
        guard case .object(let fields) = vector?["body"] else { throw XCTSkip("no such vector") }
        return fields
    }
}

func vectors(_ name: String) throws -> [JSONValue] {
    let folder = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../../vectors").standardized
    let found = try JSONDecoder().decode(
        [JSONValue].self, from: Data(contentsOf: folder.appendingPathComponent("\(name).json")))
    XCTAssertFalse(found.isEmpty)
    return found
}

private func json(_ request: some Encodable) throws -> JSONValue {
    try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(request))
}

private func label(_ vector: JSONValue) -> String {
    if case .string(let name) = vector["name"] { return name }
    return ""
}

private func text(_ value: JSONValue?) throws -> String {
    guard case .string(let text) = value else { throw MusicGenError.unexpectedAnswer("\(String(describing: value))") }
    return text
}

private func items(_ value: JSONValue?) -> [JSONValue] {
    if case .array(let items) = value { return items }
    return []
}

/// A value, unless it is null.
private func given(_ value: JSONValue?) -> JSONValue? { value == .null ? nil : value }

private func optional(_ text: String?) -> JSONValue { text.map(JSONValue.string) ?? .null }
private func optional(_ number: Double?) -> JSONValue { number.map(JSONValue.number) ?? .null }

private func bytes(hex: String) -> Data {
    let digits = Array(hex)
    return Data(stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) })
}
