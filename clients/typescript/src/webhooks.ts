/** How strictly a webhook is checked. */
export interface WebhookOptions {
  /** Seconds by which the webhook's time may differ from `now`; 300 by default. An older one may be a replay. */
  tolerance?: number;
  /** In seconds since 1970; this clock by default. */
  now?: number;
}

/** A webhook is unsigned, altered, too old, or signed with another secret. Do not act on it. */
export class WebhookError extends Error {
  override readonly name = "WebhookError";
}

/**
 * The JSON of a webhook that one of the secrets signed, after Standard Webhooks (standardwebhooks.com).
 *
 * @param body of the request, exactly as received.
 * @param headers of the request, by their names in lower case.
 * @param secrets `whsec_…`; two while the old one is being replaced.
 * @throws WebhookError if the webhook is unsigned, altered, too old, or signed with another secret.
 */
export async function verifyWebhook(
  body: string,
  headers: Headers | Record<string, string | string[] | undefined>,
  secrets: string[],
  { tolerance = 300, now = Date.now() / 1000 }: WebhookOptions = {},
): Promise<unknown> {
  const read = (name: string) => String((headers instanceof Headers ? headers.get(name) : headers[name]) ?? "");
  const [id, sent, signatures] = [read("webhook-id"), read("webhook-timestamp"), read("webhook-signature")];
  if (!id || !/^\d+$/.test(sent) || !signatures)
    throw new WebhookError("The request has no valid webhook-id, webhook-timestamp and webhook-signature.");
  const age = Math.abs(now - Number(sent));
  if (age > tolerance) throw new WebhookError(`The webhook's time differs from this clock by ${Math.round(age)} s.`);
  const signed = new TextEncoder().encode(`${id}.${sent}.${body}`);
  const given = signatures.split(" ").filter((each) => each.startsWith("v1,"));
  for (const secret of secrets) {
    const key = await importKey(secret);
    for (const signature of given) {
      // Compares in constant time.
      if (await crypto.subtle.verify("HMAC", key, bytesOf(signature.slice(3)), signed)) return JSON.parse(body);
    }
  }
  throw new WebhookError("No signature of the webhook fits a secret.");
}

function importKey(secret: string): Promise<CryptoKey> {
  const bytes = bytesOf(secret.replace(/^whsec_/, ""));
  if (bytes.length === 0) throw new RangeError("A webhook's secret is base64, with the prefix whsec_.");
  return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
}

/** Decodes base64; what is none is empty. */
function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return new Uint8Array();
  }
}
