import Foundation

/// A piece of the audio of a job that is being generated, as the gateway's WebSocket sends it in a binary frame.
public struct AudioChunk: Sendable, Equatable {
    public let jobID: String
    /// 0, 1, 2 … within the attempt.
    public let seq: Int
    /// Of the job; a later one starts again at the beginning.
    public let attempt: Int
    /// Where the piece starts, in frames from the start of the audio.
    public let firstSample: Int
    /// Samples per channel.
    public let frames: Int
    /// In hertz.
    public let sampleRate: Int
    public let channels: Int
    /// Whether this is the attempt's last chunk, which may be empty.
    public let last: Bool
    /// `frames * channels` samples, interleaved by channel; -1 to 1 is full scale.
    public let samples: [Float]

    /// Reads a binary frame: four bytes with the length of the header (little-endian), the header as JSON, and float32
    /// samples (little-endian).
    ///
    /// - Throws: `MusicGenError.unexpectedAnswer` if it is no chunk of audio.
    public init(frame: Data) throws {
        let damaged = MusicGenError.unexpectedAnswer("The gateway sent \(frame.count) bytes that are no live audio.")
        let words = [UInt8](frame)
        guard let length = word(words, at: 0), words.count >= 4 + Int(length) else { throw damaged }
        let start = 4 + Int(length)
        let header = try decodeAnswer(Header.self, from: Data(words[4..<start]))
        let (count, overflow) = header.frames.multipliedReportingOverflow(by: header.channels)
        guard header.format == "f32le", !overflow, count >= 0, count <= words.count,
            words.count - start == 4 * count
        else { throw damaged }
        jobID = header.jobID
        seq = header.seq
        attempt = header.attempt
        firstSample = header.firstSample
        frames = header.frames
        sampleRate = header.sampleRate
        channels = header.channels
        last = header.last ?? false
        samples = (0..<count).compactMap { word(words, at: start + 4 * $0).map(Float.init(bitPattern:)) }
    }

    private struct Header: Decodable {
        let jobID: String
        let seq, attempt, firstSample, frames, sampleRate, channels: Int
        let format: String
        let last: Bool?

        enum CodingKeys: String, CodingKey {
            case seq, attempt, frames, channels, format, last
            case jobID = "job_id"
            case firstSample = "first_sample"
            case sampleRate = "sample_rate"
        }
    }
}

/// Four bytes in little-endian order; nil beyond the end.
private func word(_ bytes: [UInt8], at start: Int) -> UInt32? {
    guard start + 4 <= bytes.count else { return nil }
    return bytes[start..<start + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
}
