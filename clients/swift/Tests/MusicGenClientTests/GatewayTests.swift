import XCTest

import MusicGenClient

/// The client against a real gateway, at MUSICGEN_URL, whose worker writes scores; skipped without one.
final class GatewayTests: XCTestCase {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)

    override func setUpWithError() throws {
        guard ProcessInfo.processInfo.environment["MUSICGEN_URL"] != nil else {
            throw XCTSkip("MUSICGEN_URL names no gateway")
        }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    override func tearDownWithError() throws {
        try? FileManager.default.removeItem(at: folder)
    }

    /// The three calls of the service's first version.
    func testTheFirstCallsWorkAsEver() async throws {
        let client = MusicGenClient(baseURL: ProcessInfo.processInfo.environment["MUSICGEN_URL"]!)
        let request = GenerationRequest(
            prompt: "upbeat electronic music",
            duration: 1.0
        )

        let jobID = try await client.generateMusic(request)
        let status = try await client.getStatus(jobID)
        let audioURL = try await client.downloadAudio(jobID)

        XCTAssertEqual(status.jobID, jobID)
        XCTAssertEqual(try Data(contentsOf: audioURL).prefix(4), Data("RIFF".utf8))
        try FileManager.default.removeItem(at: audioURL)
    }

    func testEventsLeadToTheEnd() async throws {
        let client = MusicGenClient()
        let job = try await client.generateMusic(GenerationRequest(prompt: "house", duration: 1, seed: 7, cache: false))
        var events: [JobEvent] = []
        for try await event in client.events(job) { events.append(event) }
        XCTAssertEqual(events.last?.type, "completed")
        XCTAssertEqual(events.map(\.seq), Array(Set(events.map(\.seq))).sorted())
        let view = try await client.waitForCompletion(job)
        XCTAssertEqual(view.progress, 1)
        var late: [JobEvent] = []
        for try await event in client.events(job, afterSeq: events[0].seq) { late.append(event) }
        XCTAssertEqual(late.last?.seq, events.last?.seq)
    }

    func testFilesTakesAndRecipes() async throws {
        let client = MusicGenClient()
        let job = try await client.generateMusic(
            GenerationRequest(prompt: "house", duration: 1, outputs: [.midi, .stems], variations: 2))
        let takes = try await client.takes(of: job)
        XCTAssertEqual(takes.count, 2)
        let view = try await client.waitForCompletion(takes[1])
        for output in view.outputs {
            let file = try await client.downloadFile(
                takes[1], named: output.name, to: folder.appendingPathComponent(output.name))
            XCTAssertEqual(try Data(contentsOf: file).count, output.size)
        }
        let bundle = try await client.downloadFile(
            job, named: "bundle.zip", to: folder.appendingPathComponent("bundle.zip"))
        XCTAssertEqual(try Data(contentsOf: bundle).prefix(2), Data("PK".utf8))
        let again = try await client.generateMusic(recipe: try XCTUnwrap(view.recipe))
        let repeated = try await client.waitForCompletion(again)
        XCTAssertEqual(repeated.seed, view.seed)
    }

    func testChildrenOfATake() async throws {
        let client = MusicGenClient()
        let take = try await client.generateMusic(GenerationRequest(prompt: "house", bars: 4, bpm: 124, seed: 7))
        _ = try await client.waitForCompletion(take)
        let children = [
            try await client.replace(take, ReplaceRequest(fromBar: 2, toBar: 2)),
            try await client.extend(take, ExtendRequest(bars: 1)),
            try await client.vary(take, VaryRequest(strength: 0, outputs: [.midi])),
        ]
        for child in children {
            let view = try await client.waitForCompletion(child)
            XCTAssertEqual(view.parent, take)
        }
        let family = try await client.lineage(children[1])
        XCTAssertEqual(Set(family.map(\.jobID)), Set([take] + children))
        XCTAssertEqual(Set(family.compactMap(\.kind)), ["replace", "extend", "vary"])
    }

    func testCancelAndErrors() async throws {
        let client = MusicGenClient()
        let job = try await client.generateMusic(GenerationRequest(prompt: "slow", duration: 60, cache: false))
        try await client.cancel(job)
        do {
            try await client.downloadAudio(job, to: folder.appendingPathComponent("no.wav"))
            XCTFail("there is audio")
        } catch MusicGenError.jobFailed(let view) {
            XCTAssertEqual(view.status, .cancelled)
        }
        let finished = try await client.generateMusic(GenerationRequest(prompt: "house", duration: 1))
        _ = try await client.waitForCompletion(finished)
        await refused({ try await client.cancel(finished) }) { if case .conflict = $0 { true } else { false } }
        await refused({ _ = try await client.getStatus("gen_000000000000") }) {
            if case .notFound = $0 { true } else { false }
        }
        await refused({ _ = try await client.generateMusic(GenerationRequest(prompt: "x", duration: -1)) }) {
            if case .invalidRequest(let problem) = $0 { problem.errors.first?.field == "duration" } else { false }
        }
        let list = try await client.listJobs(limit: 1, status: .cancelled)
        XCTAssertEqual(list.jobs.map(\.status), [.cancelled])
    }

    func testACancelledTaskEndsWhileTheJobWaits() async throws {
        let client = MusicGenClient()
        // No worker serves this model.
        let job = try await client.generateMusic(GenerationRequest(prompt: "house", duration: 1, model: "small"))
        let first = expectation(description: "the first event")
        let task = Task {
            for try await _ in client.events(job) { first.fulfill() }
        }
        await fulfillment(of: [first], timeout: 20)
        task.cancel()
        do {
            try await task.value
            XCTFail("the task ended without an error")
        } catch is CancellationError {}
        try await client.cancel(job)
    }

    func testUploads() async throws {
        let client = MusicGenClient()
        let job = try await client.generateMusic(GenerationRequest(prompt: "house", duration: 1))
        let file = try await client.downloadAudio(job, to: folder.appendingPathComponent("take.wav"))
        let uploaded = try await client.uploadAudio(file)
        XCTAssertEqual(uploaded.kind, "audio")
        let found = try await client.getUpload(uploaded.audioID)
        XCTAssertEqual(found.sha256, uploaded.sha256)
        try await client.deleteUpload(uploaded.audioID)
        await refused({ _ = try await client.getUpload(uploaded.audioID) }) {
            if case .notFound = $0 { true } else { false }
        }
    }

    func testAnyOtherRoute() async throws {
        let parsed = try await MusicGenClient().request(
            "POST", "/api/v1/prompt/parse", body: .object(["prompt": .string("house at 124 bpm")]))
        XCTAssertNotNil(parsed["components"])
    }

    private func refused(_ call: () async throws -> Void, as expected: (MusicGenError) -> Bool) async {
        do {
            try await call()
            XCTFail("the gateway did not refuse")
        } catch let error as MusicGenError {
            XCTAssertTrue(expected(error), "\(error)")
        } catch {
            XCTFail("\(error)")
        }
    }
}
