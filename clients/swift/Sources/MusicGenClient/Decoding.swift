import Foundation

/// Reads an answer of the gateway. Unknown fields are ignored, because later gateways send more.
///
/// - Throws: `MusicGenError.unexpectedAnswer` with the field's name, if one is missing or has another type.
func decodeAnswer<Value: Decodable>(_ type: Value.Type, from data: Data) throws -> Value {
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .custom(decodeTime)
    do {
        return try decoder.decode(type, from: data)
    } catch let error as DecodingError {
        throw MusicGenError.unexpectedAnswer("The gateway's answer is no \(type): \(reason(error)).")
    }
}

/// The time of a text after RFC 3339, with or without a fraction of a second; nil if it is none.
///
/// `ISO8601DateFormatter` reads either no fraction or three digits of it, so it gets the text without the fraction.
func parseTime(_ text: String) -> Date? {
    let formatter = ISO8601DateFormatter()
    formatter.formatOptions = [.withInternetDateTime]
    guard let point = text.firstIndex(of: ".") else { return formatter.date(from: text) }
    let digits = text[text.index(after: point)...].prefix { $0.isASCII && $0.isNumber }
    guard let fraction = Double("0." + digits), !digits.isEmpty else { return nil }
    return formatter.date(from: String(text[..<point] + text[digits.endIndex...]))?.addingTimeInterval(fraction)
}

/// The fields of an object. A field that is null counts as absent.
struct Fields {
    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private let container: KeyedDecodingContainer<Name>

    init(_ decoder: Decoder) throws {
        container = try decoder.container(keyedBy: Name.self)
    }

    /// A field that every version of the gateway sends.
    func required<Value: Decodable>(_ name: String) throws -> Value {
        try container.decode(Value.self, forKey: Name(stringValue: name))
    }

    func optional<Value: Decodable>(_ name: String) throws -> Value? {
        try container.decodeIfPresent(Value.self, forKey: Name(stringValue: name))
    }

    func list<Value: Decodable>(_ name: String) throws -> [Value] {
        try optional(name) ?? []
    }
}

@Sendable private func decodeTime(_ decoder: Decoder) throws -> Date {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let time = parseTime(text) else {
        throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(text) is no time of RFC 3339")
    }
    return time
}

private func reason(_ error: DecodingError) -> String {
    switch error {
    case .keyNotFound(let key, let context): return "\(path(context, key)) is missing"
    case .valueNotFound(_, let context): return "\(path(context)) is null"
    case .typeMismatch(let type, let context): return "\(path(context)) is no \(type)"
    case .dataCorrupted(let context): return context.codingPath.isEmpty
        ? "it is no JSON" : "\(path(context)) is invalid: \(context.debugDescription)"
    @unknown default: return "\(error)"
    }
}

private func path(_ context: DecodingError.Context, _ last: CodingKey? = nil) -> String {
    (context.codingPath + [last].compactMap { $0 }).map(\.stringValue).joined(separator: ".")
}
