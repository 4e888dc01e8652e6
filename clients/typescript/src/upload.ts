import type { Connection } from "./client.ts";
import { unreachable } from "./errors.ts";

/** How to upload a file. */
export interface UploadOptions {
  /** Is called with the share that was sent, from 0 to 1. Only browsers tell it. */
  onProgress?: (share: number) => void;
  signal?: AbortSignal;
}

/** Sends a file, and returns the answer. `XMLHttpRequest` does it, because `fetch` does not tell what was sent. */
export function sendFile(
  { baseUrl, apiKey }: Connection,
  path: string,
  file: Blob,
  { onProgress, signal }: UploadOptions,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open("POST", baseUrl + path);
    request.setRequestHeader("Content-Type", "application/octet-stream"); // the gateway looks at the content
    if (apiKey) request.setRequestHeader("Authorization", `Bearer ${apiKey}`);
    request.upload.onprogress = ({ loaded, total }) => onProgress?.(total ? loaded / total : 1);
    request.onload = () => {
      const headers = { "Retry-After": request.getResponseHeader("Retry-After") ?? "" };
      resolve(new Response(request.responseText, { status: request.status, headers }));
    };
    request.onerror = () => reject(unreachable());
    request.onabort = () => reject(signal?.reason);
    request.onloadend = () => signal?.removeEventListener("abort", abort);
    signal?.addEventListener("abort", abort);
    request.send(file);
  });
}
