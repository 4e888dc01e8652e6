import Foundation

extension MusicGenClient {
    /// Waits for the job's end, saves its audio, and returns where. The file appears once it is complete; an error's
    /// body or damaged bytes never become one. The audio of a cancelled job is saved, too, if it was kept.
    ///
    /// - Parameter destination: the file, which is replaced if it exists; nil saves into the temporary folder, under
    ///   the name that the gateway gives the audio.
    @discardableResult
    public func downloadAudio(_ jobID: String, to destination: URL? = nil) async throws -> URL {
        let view = try await withAudio(jobID)
        let name = (view.fileName ?? "\(view.jobID).wav").split(separator: "/").last ?? "audio.wav"
        let target = destination ?? FileManager.default.temporaryDirectory.appendingPathComponent(String(name))
        return try await save(
            "/api/v1/download/\(escaped(jobID))", to: target, type: "audio/", sha256: view.audio?.sha256)
    }

    /// Waits for the job's end, and saves another file of it.
    ///
    /// - Parameter name: that of one of its `outputs`, such as audio.mid, or bundle.zip for everything.
    @discardableResult
    public func downloadFile(_ jobID: String, named name: String, to destination: URL) async throws -> URL {
        _ = try await withAudio(jobID)
        return try await save("/api/v1/download/\(escaped(jobID))/\(escaped(name))", to: destination)
    }

    /// Uploads an audio or MIDI file. It is sent once: a second upload would be a second file.
    public func uploadAudio(_ file: URL) async throws -> UploadedFile {
        var request = Request(method: "POST", path: "/api/v1/audio", timeout: 60)
        request.body = try Data(contentsOf: file)
        request.headers = ["Content-Type": "application/octet-stream"]
        return try await transport.send(request, for: UploadedFile.self)
    }

    /// What is known of an uploaded file.
    public func getUpload(_ audioID: String) async throws -> UploadedFile {
        try await transport.send(Request(path: "/api/v1/audio/\(escaped(audioID))"), for: UploadedFile.self)
    }

    /// Deletes an uploaded file.
    public func deleteUpload(_ audioID: String) async throws {
        _ = try await transport.send(Request(method: "DELETE", path: "/api/v1/audio/\(escaped(audioID))"))
    }

    /// The final state, also of a cancelled job that kept its audio.
    private func withAudio(_ jobID: String) async throws -> JobView {
        do {
            return try await waitForCompletion(jobID)
        } catch MusicGenError.jobFailed(let view) where view.audioURL != nil {
            return view
        }
    }

    /// Saves a file of the gateway, which replaces `target` once all of it is there.
    ///
    /// - Parameters:
    ///   - type: how its Content-Type begins.
    ///   - sha256: of the whole file, in hex; nil takes the gateway's ETag, where it is a checksum.
    private func save(
        _ path: String, to target: URL, type: String = "", sha256: String? = nil
    ) async throws -> URL {
        let part = target.deletingLastPathComponent().appendingPathComponent(".\(UUID().uuidString).part")
        let proxied = [URLQueryItem(name: "proxy", value: "1")]  // the gateway's own answer has the checksum
        let request = Request(path: path, query: proxied, headers: ["Accept-Encoding": "identity"], timeout: 60)
        var answer = try await transport.open(request)
        let found = answer.header("Content-Type") ?? ""
        guard answer.head.statusCode == 200, found.hasPrefix(type) else {
            throw MusicGenError.unexpectedAnswer("The gateway answered \(answer.head.statusCode) \(found) and no file.")
        }
        try Data().write(to: part)
        defer { try? FileManager.default.removeItem(at: part) }
        let digest = try await write(&answer, to: part)
        if let expected = sha256 ?? checksum(answer.header("ETag")), digest != expected {
            throw MusicGenError.transfer("The bytes of \(path) differ from the stored file. Download it again.")
        }
        guard rename(part.path, target.path) == 0 else {
            throw CocoaError(.fileWriteUnknown, userInfo: [NSFilePathErrorKey: target.path])
        }
        return target
    }

    /// Writes the body, and returns its SHA-256 in hex.
    private func write(_ answer: inout Answer, to part: URL) async throws -> String {
        let file = try FileHandle(forWritingTo: part)
        defer { try? file.close() }
        var digest = SHA256()
        do {
            while let data = try await answer.next() {
                digest.update(data)
                try file.write(contentsOf: data)
            }
        } catch MusicGenError.unreachable {
            throw MusicGenError.transfer("The download was interrupted. Start it again.")
        }
        return digest.finalize().map { String(format: "%02x", $0) }.joined()
    }
}

/// The checksum that is an ETag of the gateway; nil for any other tag, such as that of a bundle.
private func checksum(_ tag: String?) -> String? {
    guard let text = tag?.dropFirst().dropLast(), text.count == 64, text.allSatisfy(\.isHexDigit) else { return nil }
    return tag == "\"\(text)\"" ? String(text) : nil
}
