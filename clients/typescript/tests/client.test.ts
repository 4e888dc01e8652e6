// A job is followed across broken connections, and only whole files are returned.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { ApiError, JobFailedError } from "../src/index.ts";
import { startGateway } from "./gateway.ts";

const JOB = "gen_abc000000000";
const SOUND = Buffer.concat([Buffer.from("RIFF"), Buffer.alloc(1000)]);
const ETAG = `"${createHash("sha256").update(SOUND).digest("hex")}"`;

const event = (type: string, seq: number) => ({
  ...{ type, job_id: JOB, seq, status: type === "progress" ? "processing" : type },
  ...{ progress: 0.5, message: "", at: "2024-12-01T10:00:00.000Z" },
});

/** Answers with a state of the job. */
const view = (status: string) => (_: unknown, response: ServerResponse) => {
  response.end(JSON.stringify({ job_id: JOB, status, message: "the end", error_message: null }));
};

test("events go on after broken connections, each once", async () => {
  await using gateway = await startGateway(view("completed"), [
    [event("queued", 3), event("processing", 5)],
    [event("processing", 5), event("progress", 8)],
    [event("completed", 9)],
  ]);
  const seen: [string, number][] = [];
  for await (const each of gateway.client.events(JOB)) seen.push([each.type, each.seq]);
  assert.deepEqual(seen, [
    ["queued", 3],
    ["processing", 5],
    ["progress", 8],
    ["completed", 9],
  ]);
  assert.deepEqual(
    gateway.received.map((each) => each.after_seq),
    [null, 5, 8],
  );
});

test("a job is followed after an event that is known", async () => {
  await using gateway = await startGateway(view("completed"), [[event("completed", 9)]]);
  assert.equal((await gateway.client.wait(JOB, { afterSeq: 5 })).status, "completed");
  assert.equal(gateway.received[0]?.after_seq, 5);
});

test("a job that failed is an error with its last state", async () => {
  await using gateway = await startGateway(view("failed"), [[event("failed", 2)]]);
  await assert.rejects(gateway.client.wait(JOB), (error: JobFailedError) => {
    assert.ok(error instanceof JobFailedError);
    assert.deepEqual([error.message, error.job.status], [`${JOB} failed: the end`, "failed"]);
    return true;
  });
});

test("an unknown job is not waited for", async () => {
  const detail = "There is no such job.";
  await using gateway = await startGateway((_, response) => response.writeHead(404).end(JSON.stringify({ detail })));
  await assert.rejects(gateway.client.wait(JOB), { name: "ApiError", message: detail, status: 404 });
});

test("a subscription that the gateway refuses is an error", async () => {
  const refusal = { type: "error", job_id: JOB, detail: "Too many subscriptions." };
  await using gateway = await startGateway(view("queued"), [[refusal]]);
  await assert.rejects(gateway.client.wait(JOB), { name: "ApiError", message: refusal.detail });
});

test("waiting ends with the caller's signal", async () => {
  await using gateway = await startGateway(view("queued"), [[event("queued", 1)]]);
  const abort = new AbortController();
  await assert.rejects(async () => {
    for await (const _ of gateway.client.events(JOB, { signal: abort.signal })) abort.abort(new Error("enough"));
  }, /enough/);
  await assert.rejects(gateway.client.wait(JOB, { signal: abort.signal }), /enough/);
});

test("audio is returned when its checksum is right", async () => {
  await using gateway = await startGateway((request, response) => {
    assert.equal(request.url, `/api/v1/download/${JOB}?proxy=1`);
    response.writeHead(200, { "Content-Type": "audio/wav", ETag: ETAG }).end(SOUND);
  });
  assert.deepEqual(Buffer.from(await gateway.client.audio(JOB)), SOUND);
});

const NO_AUDIO: [string, (response: ServerResponse) => void][] = [
  ["an error's body", (response) => response.writeHead(409).end(JSON.stringify({ detail: "It is still processing." }))],
  ["an error without JSON", (response) => response.writeHead(502, { "Content-Type": "audio/wav" }).end("<html>")],
  ["a login page", (response) => response.writeHead(200, { "Content-Type": "text/html" }).end("<html>")],
  [
    "other bytes",
    (response) => response.writeHead(200, { "Content-Type": "audio/wav", ETag: ETAG }).end(SOUND.subarray(1)),
  ],
  [
    "a download that breaks off",
    (response) => {
      response.writeHead(200, { "Content-Type": "audio/wav", "Content-Length": 5000 }).write(SOUND);
      setImmediate(() => response.destroy());
    },
  ],
];

for (const [name, answer] of NO_AUDIO) {
  test(`no audio comes of ${name}`, async () => {
    await using gateway = await startGateway((_, response) => answer(response));
    await assert.rejects(gateway.client.audio(JOB), ApiError);
  });
}

test("a bundle is returned, though its tag is no checksum", async () => {
  await using gateway = await startGateway((request, response) => {
    assert.equal(request.url, `/api/v1/download/${JOB}/bundle.zip?proxy=1`);
    response
      .writeHead(200, { "Content-Type": "application/zip", ETag: '"0123456789abcdef0123456789abcdef"' })
      .end("PK");
  });
  assert.equal(Buffer.from(await gateway.client.output(JOB, "bundle.zip")).toString(), "PK");
});
