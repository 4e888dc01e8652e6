/// A request for music: `prompt`, or `components` in its place. The gateway chooses what is nil.
public struct GenerationRequest: Encodable, Sendable, Equatable {
    /// The music in words.
    public var prompt: String?
    /// The music in parts.
    public var components: PromptComponents?
    /// What the music should not be.
    public var negativePrompt: String?
    /// In seconds.
    public var duration: Double?
    /// Whole bars, in place of `duration`: the file has exactly their length.
    public var bars: Int?
    /// Quarter notes per minute, whatever the meter.
    public var bpm: Double?
    /// Such as 4/4 or 7/8.
    public var meter: String?
    /// Such as A minor, or Am.
    public var key: String?
    /// Whether the end continues at the start, without a fade.
    public var loop: Bool?
    /// Repeats the same music; nil for a random one, which the status shows.
    public var seed: UInt32?
    public var model: String?
    public var temperature: Double?
    public var topK: Int?
    public var topP: Double?
    /// How literally the prompt is taken.
    public var cfgCoef: Double?
    /// Of the audio and the stems.
    public var format: AudioFormat?
    /// Of the files, in hertz: 44100, 48000 or 96000; nil is the model's own.
    public var sampleRate: Int?
    public var sampleFormat: SampleFormat?
    /// Integrated loudness in LUFS.
    public var loudness: Double?
    /// Of the music: in the file's metadata and name.
    public var title: String?
    /// What is made besides the audio.
    public var outputs: [Output]?
    /// How many takes are made, 1 to 8. `takes(of:)` lists them.
    public var variations: Int?
    public var priority: Priority?
    /// A URL that gets the job's events; `verifyWebhook` checks them.
    public var webhook: String?
    /// The events for the webhook.
    public var webhookEvents: [JobStatus]?
    /// Audio that the music continues, or whose melody it follows.
    public var audio: AudioConditions?
    /// A MIDI file, or the score of a job. Where it is played, nothing is composed.
    public var score: ScoreSource?
    /// Whether stored audio may answer the request.
    public var cache: Bool?

    public init(
        prompt: String? = nil, components: PromptComponents? = nil, negativePrompt: String? = nil,
        duration: Double? = nil, bars: Int? = nil, bpm: Double? = nil, meter: String? = nil, key: String? = nil,
        loop: Bool? = nil, seed: UInt32? = nil, model: String? = nil, temperature: Double? = nil, topK: Int? = nil,
        topP: Double? = nil, cfgCoef: Double? = nil, format: AudioFormat? = nil, sampleRate: Int? = nil,
        sampleFormat: SampleFormat? = nil, loudness: Double? = nil, title: String? = nil, outputs: [Output]? = nil,
        variations: Int? = nil, priority: Priority? = nil, webhook: String? = nil,
        webhookEvents: [JobStatus]? = nil, audio: AudioConditions? = nil, score: ScoreSource? = nil,
        cache: Bool? = nil
    ) {
        self.prompt = prompt
        self.components = components
        self.negativePrompt = negativePrompt
        self.duration = duration
        self.bars = bars
        self.bpm = bpm
        self.meter = meter
        self.key = key
        self.loop = loop
        self.seed = seed
        self.model = model
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.cfgCoef = cfgCoef
        self.format = format
        self.sampleRate = sampleRate
        self.sampleFormat = sampleFormat
        self.loudness = loudness
        self.title = title
        self.outputs = outputs
        self.variations = variations
        self.priority = priority
        self.webhook = webhook
        self.webhookEvents = webhookEvents
        self.audio = audio
        self.score = score
        self.cache = cache
    }

    enum CodingKeys: String, CodingKey {
        case prompt, components, duration, bars, bpm, meter, key, loop, seed, model, temperature, format, loudness
        case title, outputs, variations, priority, webhook, audio, score, cache
        case negativePrompt = "negative_prompt"
        case topK = "top_k"
        case topP = "top_p"
        case cfgCoef = "cfg_coef"
        case sampleRate = "sample_rate"
        case sampleFormat = "sample_format"
        case webhookEvents = "webhook_events"
    }
}

/// A prompt in parts; the gateway makes the sentence.
public struct PromptComponents: Encodable, Sendable, Equatable {
    public var genre: String?
    public var tempo: String?
    public var mood: String?
    public var instruments: [String]?
    public var artistStyle: String?
    /// The end of the sentence.
    public var customText: String?
    public var bars: Int?
    public var bpm: Double?
    public var meter: String?
    public var key: String?
    public var loop: Bool?

    public init(
        genre: String? = nil, tempo: String? = nil, mood: String? = nil, instruments: [String]? = nil,
        artistStyle: String? = nil, customText: String? = nil, bars: Int? = nil, bpm: Double? = nil,
        meter: String? = nil, key: String? = nil, loop: Bool? = nil
    ) {
        self.genre = genre
        self.tempo = tempo
        self.mood = mood
        self.instruments = instruments
        self.artistStyle = artistStyle
        self.customText = customText
        self.bars = bars
        self.bpm = bpm
        self.meter = meter
        self.key = key
        self.loop = loop
    }

    enum CodingKeys: String, CodingKey {
        case genre, tempo, mood, instruments, bars, bpm, meter, key, loop
        case artistStyle = "artist_style"
        case customText = "custom_text"
    }
}

/// Audio that a request begins from: exactly one of both. Models that make audio directly, such as small, hear it.
public struct AudioConditions: Encodable, Sendable, Equatable {
    /// The music goes on from the end of this excerpt, with which the file begins.
    public var continueFrom: AudioSource?
    /// The music follows the melody of this excerpt. Melody models do.
    public var melody: AudioSource?

    public init(continueFrom: AudioSource? = nil, melody: AudioSource? = nil) {
        self.continueFrom = continueFrom
        self.melody = melody
    }

    enum CodingKeys: String, CodingKey {
        case melody
        case continueFrom = "continue_from"
    }
}

/// An excerpt of an uploaded file, or of the audio of a finished job.
public struct AudioSource: Encodable, Sendable, Equatable {
    /// That of `uploadAudio`.
    public var audioID: String?
    public var jobID: String?
    /// In seconds; by default 12 before the end, and for a melody the beginning.
    public var start: Double?
    /// In seconds; by default the end of the audio, and for a melody at most 30 later.
    public var end: Double?

    public init(audioID: String? = nil, jobID: String? = nil, start: Double? = nil, end: Double? = nil) {
        self.audioID = audioID
        self.jobID = jobID
        self.start = start
        self.end = end
    }

    enum CodingKeys: String, CodingKey {
        case start, end
        case audioID = "audio_id"
        case jobID = "job_id"
    }
}

/// A score: a MIDI file that was uploaded, or that of a job. Models that write scores play it, such as starter.
public struct ScoreSource: Encodable, Sendable, Equatable {
    /// That of `uploadAudio`.
    public var audioID: String?
    public var jobID: String?
    /// What is done with it, as the gateway's `/api/v1/models` lists it; nil plays it note for note.
    public var action: String?
    /// General MIDI programs from 0 for single instruments, by the names or streams of the job's `instruments`.
    public var programs: [String: Int]?
    /// The only ones to play; nil means all.
    public var instruments: [String]?

    public init(
        audioID: String? = nil, jobID: String? = nil, action: String? = nil, programs: [String: Int]? = nil,
        instruments: [String]? = nil
    ) {
        self.audioID = audioID
        self.jobID = jobID
        self.action = action
        self.programs = programs
        self.instruments = instruments
    }

    enum CodingKeys: String, CodingKey {
        case programs, instruments
        case audioID = "audio_id"
        case jobID = "job_id"
        case action = "as"
    }
}

extension GenerationRequest {
    public enum AudioFormat: String, Codable, Sendable {
        case wav, flac, ogg, mp3
    }

    public enum SampleFormat: String, Codable, Sendable {
        case int16, int24, float32
    }

    /// What a model that writes scores makes besides the audio.
    public enum Output: String, Codable, Sendable {
        case midi, stems
    }

    /// Workers take more urgent jobs first.
    public enum Priority: String, Codable, Sendable {
        case interactive, normal, batch
    }
}
