import Foundation

/// Verifies a webhook after the Standard Webhooks specification (standardwebhooks.com), and returns its JSON.
///
/// - Parameters:
///   - body: of the request, exactly as received.
///   - headers: of the request, in any case.
///   - secrets: `whsec_…`; two while the old one is being replaced.
///   - tolerance: seconds by which the webhook's time may differ from `now`. An older one may be a replay.
/// - Throws: `MusicGenError.webhook` if the webhook is unsigned, altered, too old, or signed with another secret, or if
///   a secret is malformed.
public func verifyWebhook(
    _ body: Data, headers: [String: String], secrets: [String], tolerance: TimeInterval = 300, now: Date = Date()
) throws -> JSONValue {
    let keys = try secrets.map(webhookKey)
    let lower = Dictionary(headers.map { ($0.lowercased(), $1) }, uniquingKeysWith: { first, _ in first })
    guard let id = lower["webhook-id"], let time = lower["webhook-timestamp"], let seconds = Int(time),
        let signatures = lower["webhook-signature"]
    else {
        throw MusicGenError.webhook("The request has no valid webhook-id, webhook-timestamp and webhook-signature.")
    }
    let age = abs(now.timeIntervalSince1970 - TimeInterval(seconds))
    guard age <= tolerance else {
        throw MusicGenError.webhook("The webhook's time differs from this clock by \(Int(age)) s. Check the clock.")
    }
    let signed = Data("\(id).\(time).".utf8) + body
    let expected = keys.map { "v1," + authenticationCode(signed, key: $0).base64EncodedString() }
    let given = signatures.split(separator: " ")
    guard expected.contains(where: { right in given.contains { isEqual(Data(right.utf8), Data($0.utf8)) } }) else {
        throw MusicGenError.webhook("No signature of the webhook fits the secret.")
    }
    return try decodeAnswer(JSONValue.self, from: body)
}

private func webhookKey(_ secret: String) throws -> Data {
    let prefix = "whsec_"
    guard secret.hasPrefix(prefix), let key = Data(base64Encoded: String(secret.dropFirst(prefix.count))) else {
        throw MusicGenError.webhook("A webhook's secret is base64, with the prefix whsec_.")
    }
    return key
}

/// Compares in a time that does not tell where they differ.
private func isEqual(_ left: Data, _ right: Data) -> Bool {
    left.count == right.count && zip(left, right).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
}
