import Foundation

/// A change of a job.
public struct JobEvent: Sendable {
    /// queued, processing, progress, completed, failed or cancelled; later gateways may know more.
    public let type: String
    public let jobID: String
    /// Rises with every event of a job.
    public let seq: Int
    public let status: JobStatus
    /// From 0 to 1.
    public let progress: Double
    public let message: String
    public let at: Date
    public let attempts: Int
    public let errorMessage: String?
    public let audioURL: String?
    /// Of the audio, in bytes.
    public let fileSize: Int?
    /// Of the audio, in seconds.
    public let actualDuration: Double?
    public let outputs: [OutputLink]
}

/// A page of jobs, newest first.
public struct JobList: Decodable, Sendable {
    public let jobs: [JobView]
    /// How many jobs match in all.
    public let total: Int
    /// Asks for the next page; nil on the last one.
    public let nextCursor: String?

    private enum CodingKeys: String, CodingKey {
        case jobs, total
        case nextCursor = "next_cursor"
    }
}

/// The answer to a request for music. `takes` are its jobs, if it asked for several.
struct JobAccepted: Decodable, Sendable {
    let jobID: String
    let status: JobStatus
    let message: String
    let createdAt: Date
    let takes: [JobView.Take]

    init(from decoder: Decoder) throws {
        let fields = try Fields(decoder)
        jobID = try fields.required("job_id")
        status = try fields.required("status")
        message = try fields.required("message")
        createdAt = try fields.required("created_at")
        takes = try fields.list("takes")
    }
}

/// A confirmation.
struct Message: Decodable, Sendable {
    let message: String
}

/// A job in a lineage; `parent` makes a tree of the list.
public struct LineageEntry: Decodable, Sendable {
    public let jobID: String
    /// The job that it was made of; nil for a take that was composed as a whole.
    public let parent: String?
    /// vary, extend, replace or play; later gateways may know more.
    public let kind: String?
    /// nil if the job is no longer on record.
    public let status: JobStatus?
    public let createdAt: Date?
    public let seed: UInt32?
    /// The first bar that was replaced.
    public let fromBar: Int?
    /// The last bar that was replaced.
    public let toBar: Int?
    /// Of a take without a score: where the new part begins, in seconds.
    public let fromSeconds: Double?
    /// Where it ends, if old audio follows.
    public let toSeconds: Double?

    private enum CodingKeys: String, CodingKey {
        case parent, kind, status, seed
        case jobID = "job_id"
        case createdAt = "created_at"
        case fromBar = "from_bar"
        case toBar = "to_bar"
        case fromSeconds = "from_seconds"
        case toSeconds = "to_seconds"
    }
}

/// All takes that come from the same one. A parent precedes its children.
struct Lineage: Decodable, Sendable {
    let jobs: [LineageEntry]
}

/// A file that was uploaded.
public struct UploadedFile: Decodable, Sendable {
    public let audioID: String
    /// audio or midi.
    public let kind: String
    public let format: String
    /// In bytes.
    public let size: Int
    /// In seconds.
    public let duration: Double
    /// In hertz; nil for MIDI.
    public let sampleRate: Int?
    /// nil for MIDI.
    public let channels: Int?
    /// Of the file, in hex.
    public let sha256: String
    public let createdAt: Date

    private enum CodingKeys: String, CodingKey {
        case kind, format, size, duration, channels, sha256
        case audioID = "audio_id"
        case sampleRate = "sample_rate"
        case createdAt = "created_at"
    }
}

extension JobEvent: Decodable {
    public init(from decoder: Decoder) throws {
        let fields = try Fields(decoder)
        type = try fields.required("type")
        jobID = try fields.required("job_id")
        seq = try fields.required("seq")
        status = try fields.required("status")
        progress = try fields.required("progress")
        message = try fields.required("message")
        at = try fields.required("at")
        attempts = try fields.optional("attempts") ?? 0
        errorMessage = try fields.optional("error_message")
        audioURL = try fields.optional("audio_url")
        fileSize = try fields.optional("file_size")
        actualDuration = try fields.optional("actual_duration")
        outputs = try fields.list("outputs")
    }
}
