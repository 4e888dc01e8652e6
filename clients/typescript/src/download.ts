import { ApiError } from "./errors.ts";

/**
 * All bytes of a file that the gateway sent.
 *
 * @param response a successful one.
 * @param kind how its media type must begin: a login page that a proxy sent is no audio.
 * @throws ApiError if it is another kind of file, the transfer breaks off, or the bytes differ from the stored ones.
 */
export async function readFile(response: Response, kind = ""): Promise<Uint8Array<ArrayBuffer>> {
  const type = response.headers.get("Content-Type") ?? "";
  if (!type.startsWith(kind)) {
    await response.body?.cancel();
    throw new ApiError(`The answer is ${type || "of no type"} instead of a file. Check the URL and the proxies.`);
  }
  const bytes = await response.arrayBuffer().catch((error: unknown) => {
    if (error instanceof DOMException) throw error; // the caller's own abort
    throw new ApiError("The download was interrupted. Start it again.");
  });
  // The gateway's ETag of a file is its SHA-256. Browsers have `subtle` only over HTTPS and on localhost.
  const sha256 = /^"([0-9a-f]{64})"$/.exec(response.headers.get("ETag") ?? "")?.[1];
  if (sha256 && crypto.subtle && sha256 !== hex(await crypto.subtle.digest("SHA-256", bytes)))
    throw new ApiError("The bytes differ from the stored file. Download it again.");
  return new Uint8Array(bytes);
}

function hex(digest: ArrayBuffer): string {
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
