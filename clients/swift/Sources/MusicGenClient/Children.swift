/// How to compose a share of the bars of a take again.
public struct VaryRequest: Encodable, Sendable, Equatable {
    /// The share of bars and instruments, from 0 to 1. 0 renders the same score again, for instance with other
    /// `outputs`.
    public var strength: Double
    /// Names or streams of the parent's `instruments`; nil means all.
    public var instruments: [String]?
    public var seed: UInt32?
    public var outputs: [GenerationRequest.Output]?
    public var title: String?
    /// A URL that gets the child's events; `verifyWebhook` checks them.
    public var webhook: String?
    /// The events for the webhook.
    public var webhookEvents: [JobStatus]?

    public init(
        strength: Double = 0.5, instruments: [String]? = nil, seed: UInt32? = nil,
        outputs: [GenerationRequest.Output]? = nil, title: String? = nil, webhook: String? = nil,
        webhookEvents: [JobStatus]? = nil
    ) {
        self.strength = strength
        self.instruments = instruments
        self.seed = seed
        self.outputs = outputs
        self.title = title
        self.webhook = webhook
        self.webhookEvents = webhookEvents
    }

    enum CodingKeys: String, CodingKey {
        case strength, instruments, seed, outputs, title, webhook
        case webhookEvents = "webhook_events"
    }
}

/// How to make a take longer: by `bars`, or by `seconds`.
public struct ExtendRequest: Encodable, Sendable, Equatable {
    public enum Place: String, Encodable, Sendable {
        case start, end
    }

    public var bars: Int?
    public var seconds: Double?
    public var at: Place
    /// Describes the new bars.
    public var prompt: String?
    public var seed: UInt32?
    public var outputs: [GenerationRequest.Output]?
    public var title: String?
    /// A URL that gets the child's events; `verifyWebhook` checks them.
    public var webhook: String?
    /// The events for the webhook.
    public var webhookEvents: [JobStatus]?

    public init(
        bars: Int? = nil, seconds: Double? = nil, at: Place = .end, prompt: String? = nil, seed: UInt32? = nil,
        outputs: [GenerationRequest.Output]? = nil, title: String? = nil, webhook: String? = nil,
        webhookEvents: [JobStatus]? = nil
    ) {
        self.bars = bars
        self.seconds = seconds
        self.at = at
        self.prompt = prompt
        self.seed = seed
        self.outputs = outputs
        self.title = title
        self.webhook = webhook
        self.webhookEvents = webhookEvents
    }

    enum CodingKeys: String, CodingKey {
        case bars, seconds, at, prompt, seed, outputs, title, webhook
        case webhookEvents = "webhook_events"
    }
}

/// Which part of a take to compose again: bars, counted from 1, both included, or seconds.
public struct ReplaceRequest: Encodable, Sendable, Equatable {
    public var fromBar: Int?
    public var toBar: Int?
    /// Seconds in place of bars, for takes without a score.
    public var fromSeconds: Double?
    public var toSeconds: Double?
    /// Names or streams of the parent's `instruments`; nil means all.
    public var instruments: [String]?
    /// Describes the new bars.
    public var prompt: String?
    public var seed: UInt32?
    public var outputs: [GenerationRequest.Output]?
    public var title: String?
    /// A URL that gets the child's events; `verifyWebhook` checks them.
    public var webhook: String?
    /// The events for the webhook.
    public var webhookEvents: [JobStatus]?

    public init(
        fromBar: Int? = nil, toBar: Int? = nil, fromSeconds: Double? = nil, toSeconds: Double? = nil,
        instruments: [String]? = nil, prompt: String? = nil, seed: UInt32? = nil,
        outputs: [GenerationRequest.Output]? = nil, title: String? = nil, webhook: String? = nil,
        webhookEvents: [JobStatus]? = nil
    ) {
        self.fromBar = fromBar
        self.toBar = toBar
        self.fromSeconds = fromSeconds
        self.toSeconds = toSeconds
        self.instruments = instruments
        self.prompt = prompt
        self.seed = seed
        self.outputs = outputs
        self.title = title
        self.webhook = webhook
        self.webhookEvents = webhookEvents
    }

    enum CodingKeys: String, CodingKey {
        case instruments, prompt, seed, outputs, title, webhook
        case webhookEvents = "webhook_events"
        case fromBar = "from_bar"
        case toBar = "to_bar"
        case fromSeconds = "from_seconds"
        case toSeconds = "to_seconds"
    }
}
