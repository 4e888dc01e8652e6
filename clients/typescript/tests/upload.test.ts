// A file is uploaded with its progress, and a refusal or a broken connection is an error that says so.
import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { test } from "node:test";
import { Client } from "../src/index.ts";
import { startGateway } from "./gateway.ts";

const FILE = new Blob([new Uint8Array(200_000)]);
const UPLOADED = { audio_id: "aud_abc000000000", kind: "audio", duration: 1.5 };

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(request));
}

test("a file is sent as the body, with the key, and may be described and deleted", async () => {
  const seen: string[] = [];
  await using gateway = await startGateway(async (request, response) => {
    const { length } = await bodyOf(request);
    seen.push(`${request.method} ${request.url} ${length} ${request.headers.authorization}`);
    response.end(JSON.stringify(UPLOADED));
  });
  const client = new Client({ baseUrl: gateway.url, apiKey: "k" });
  assert.deepEqual(await client.upload(FILE), UPLOADED);
  await client.uploaded("aud_abc000000000");
  await client.deleteUpload("aud_abc000000000");
  assert.deepEqual(seen, [
    "POST /api/v1/audio 200000 Bearer k",
    "GET /api/v1/audio/aud_abc000000000 0 Bearer k",
    "DELETE /api/v1/audio/aud_abc000000000 0 Bearer k",
  ]);
});

test("a refused file is an error with the gateway's reason", async () => {
  const detail = "The file is empty.";
  await using gateway = await startGateway(async (request, response) => {
    await bodyOf(request);
    response.writeHead(422).end(JSON.stringify({ detail }));
  });
  await assert.rejects(gateway.client.upload(new Blob([])), { name: "ApiError", message: detail, status: 422 });
});

test("a connection that breaks is an error without a status", async () => {
  await using gateway = await startGateway((request) => request.once("data", () => request.destroy()));
  await assert.rejects(gateway.client.upload(FILE), { name: "ApiError", status: 0 });
});

test("an upload ends with the caller's signal", async () => {
  await using gateway = await startGateway(() => {}); // it never answers
  const abort = new AbortController();
  setTimeout(() => abort.abort(new Error("enough")), 50);
  await assert.rejects(gateway.client.upload(FILE, { signal: abort.signal }), /enough/);
});
