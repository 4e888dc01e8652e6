import Foundation

/// The status of a job. Terminal ones never change.
public enum JobStatus: String, Codable, Sendable {
    case queued, processing, completed, failed, cancelled

    public var isTerminal: Bool { self == .completed || self == .failed || self == .cancelled }
}

/// A job. Only what every version of the gateway sends is always there; nil is unknown.
public struct JobView: Sendable {
    public let jobID: String
    public let status: JobStatus
    /// From 0 to 1.
    public let progress: Double
    public let message: String
    public let createdAt: Date
    public let startedAt: Date?
    public let completedAt: Date?
    public let errorMessage: String?
    public let prompt: String
    /// What was asked for, in seconds.
    public let duration: Double?
    /// The audio's path on the gateway; `downloadAudio` saves it.
    public let audioURL: String?
    /// Of the audio, in bytes.
    public let fileSize: Int?
    /// Of the audio, in seconds.
    public let actualDuration: Double?
    public let model: String?
    public let seed: UInt32?
    public let attempts: Int
    public let priority: GenerationRequest.Priority?
    public let queuePosition: Int?
    /// Estimated seconds until the job has ended.
    public let etaSeconds: Double?
    /// How to make the same music again, with `generateMusic(recipe:)`.
    public let recipe: JSONValue?
    public let audio: StoredAudio?
    /// Files besides the audio; `downloadFile` saves them.
    public let outputs: [OutputLink]
    public let audioExpired: Bool
    /// Whether stored audio of an equal request answers this one.
    public let cached: Bool
    public let warnings: [String]
    /// Quarter notes per minute.
    public let bpm: Double?
    /// In the long form, such as A minor.
    public let key: String?
    public let meter: String?
    public let bars: Int?
    public let loop: Bool
    /// Of the file, in hertz.
    public let sampleRate: Int?
    public let format: String?
    /// Of the audio, such as house_124bpm_Amin_8bars_gen_….wav.
    public let fileName: String?
    public let title: String?
    /// All jobs of a request that asked for several, this one included.
    public let takes: [Take]
    /// The job that this one was made of.
    public let parent: String?
    /// When the job is cancelled unless it has ended.
    public let cancelAt: Date?
    public let measured: Measured?
    public let instruments: [Instrument]
    public let sections: [SectionStart]
    public let understood: [Understood]
    /// Words of the prompt that the music does not follow.
    public let ignored: [String]
    public let ignoredBecause: [Ignored]
    /// How the bars of a child were composed.
    public let composed: JSONValue?
    /// The path of the waveform's peaks.
    public let peaksURL: String?
}

/// A file besides the audio.
public struct OutputLink: Decodable, Sendable, Equatable {
    /// midi, stem or project; later gateways may know more.
    public let kind: String
    public let name: String
    /// In bytes.
    public let size: Int
    public let downloadURL: String?
    /// Of a stem.
    public let instrument: String?
    /// The General MIDI program of a stem's instrument, from 0.
    public let program: Int?
    /// To be added to a stem, so that all stems sum to the audio.
    public let gainDB: Double?

    private enum CodingKeys: String, CodingKey {
        case kind, name, size, instrument, program
        case downloadURL = "download_url"
        case gainDB = "gain_db"
    }
}

/// The stored audio.
public struct StoredAudio: Decodable, Sendable, Equatable {
    /// In bytes.
    public let size: Int
    /// In seconds.
    public let duration: Double
    /// In hertz.
    public let sampleRate: Int
    public let channels: Int
    /// Of the file, in hex.
    public let sha256: String

    private enum CodingKeys: String, CodingKey {
        case size, duration, channels, sha256
        case sampleRate = "sample_rate"
    }
}

extension JobView {
    /// One of several jobs of one request; they differ in their seeds.
    public struct Take: Decodable, Sendable, Equatable {
        public let jobID: String
        public let seed: UInt32

        private enum CodingKeys: String, CodingKey {
            case jobID = "job_id"
            case seed
        }
    }

    /// What was measured of the audio. Confidence goes from 0 to 1.
    public struct Measured: Sendable, Equatable {
        public let bpm: Double?
        public let bpmConfidence: Double?
        public let key: String?
        public let keyConfidence: Double?
        public let lufs: Double?
        /// In dBTP.
        public let truePeak: Double?
        /// In seconds.
        public let downbeats: [Double]
        /// By how much mastering changed the level.
        public let gainDB: Double?
    }

    /// An instrument that plays.
    public struct Instrument: Decodable, Sendable, Equatable {
        public let name: String
        public let stream: String
        /// The General MIDI program, from 0.
        public let program: Int?
        /// The MIDI channel, from 1.
        public let channel: Int?
    }

    /// Where a section starts.
    public struct SectionStart: Decodable, Sendable, Equatable {
        public let name: String
        /// Counted from 1.
        public let bar: Int
        /// In seconds.
        public let start: Double
    }

    /// Words of the prompt, and what they mean.
    public struct Understood: Decodable, Sendable, Equatable {
        public let words: String
        public let meaning: String

        private enum CodingKeys: String, CodingKey {
            case words
            case meaning = "as"
        }
    }

    /// Words of the prompt that the music does not follow, and why.
    public struct Ignored: Decodable, Sendable, Equatable {
        public let words: String
        public let because: String
    }
}

extension JobView: Decodable {
    public init(from decoder: Decoder) throws {
        let fields = try Fields(decoder)
        jobID = try fields.required("job_id")
        status = try fields.required("status")
        progress = try fields.required("progress")
        message = try fields.required("message")
        createdAt = try fields.required("created_at")
        startedAt = try fields.optional("started_at")
        completedAt = try fields.optional("completed_at")
        errorMessage = try fields.optional("error_message")
        prompt = try fields.optional("prompt") ?? ""
        duration = try fields.optional("duration")
        audioURL = try fields.optional("audio_url")
        fileSize = try fields.optional("file_size")
        actualDuration = try fields.optional("actual_duration")
        model = try fields.optional("model")
        seed = try fields.optional("seed")
        attempts = try fields.optional("attempts") ?? 0
        priority = try fields.optional("priority")
        queuePosition = try fields.optional("queue_position")
        etaSeconds = try fields.optional("eta_seconds")
        recipe = try fields.optional("recipe")
        audio = try fields.optional("audio")
        outputs = try fields.list("outputs")
        audioExpired = try fields.optional("audio_expired") ?? false
        cached = try fields.optional("cached") ?? false
        warnings = try fields.list("warnings")
        bpm = try fields.optional("bpm")
        key = try fields.optional("key")
        meter = try fields.optional("meter")
        bars = try fields.optional("bars")
        loop = try fields.optional("loop") ?? false
        sampleRate = try fields.optional("sample_rate")
        format = try fields.optional("format")
        fileName = try fields.optional("file_name")
        title = try fields.optional("title")
        takes = try fields.list("takes")
        parent = try fields.optional("parent")
        cancelAt = try fields.optional("cancel_at")
        measured = try fields.optional("measured")
        instruments = try fields.list("instruments")
        sections = try fields.list("sections")
        understood = try fields.list("understood")
        ignored = try fields.list("ignored")
        ignoredBecause = try fields.list("ignored_because")
        composed = try fields.optional("composed")
        peaksURL = try fields.optional("peaks_url")
    }
}

extension JobView.Measured: Decodable {
    public init(from decoder: Decoder) throws {
        let fields = try Fields(decoder)
        bpm = try fields.optional("bpm")
        bpmConfidence = try fields.optional("bpm_confidence")
        key = try fields.optional("key")
        keyConfidence = try fields.optional("key_confidence")
        lufs = try fields.optional("lufs")
        truePeak = try fields.optional("true_peak_dbtp")
        downbeats = try fields.list("downbeats")
        gainDB = try fields.optional("gain_db")
    }
}
