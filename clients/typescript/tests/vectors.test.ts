// The client reads every shared vector: answers, refusals, events, live audio, times and webhooks.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type ApiError, decodeAudioFrame, EventSocket, parseTime, verifyWebhook, WebhookError } from "../src/index.ts";
import { startGateway } from "./gateway.ts";

// biome-ignore lint/suspicious/noExplicitAny: the vectors have shapes of every kind
const vectors = (name: string): any[] =>
  JSON.parse(readFileSync(new URL(`../../vectors/${name}.json`, import.meta.url), "utf8"));

for (const { name, schema, body } of vectors("answers")) {
  test(`an answer arrives without a loss: ${name}`, async () => {
    await using gateway = await startGateway((_, response) => response.end(JSON.stringify(body)));
    const { client } = gateway;
    const call = {
      JobAccepted: () => client.generate({ prompt: "house" }),
      JobList: () => client.jobs(),
      JobView: () => client.status("gen_abc000000000"),
      Message: () => client.cancel("gen_abc000000000"),
    }[schema as "JobView"];
    assert.deepEqual(await call(), body);
  });
}

for (const { name, status, headers, body } of vectors("problems")) {
  test(`a refusal is an error with the gateway's words: ${name}`, async () => {
    await using gateway = await startGateway((_, response) => {
      response.writeHead(status, headers).end(JSON.stringify(body));
    });
    await assert.rejects(gateway.client.status("gen_abc000000000"), (error: ApiError) => {
      const retryAfter = headers["Retry-After"] ? Number(headers["Retry-After"]) : null;
      assert.deepEqual([error.status, error.message, error.retryAfter], [status, body.detail, retryAfter]);
      assert.deepEqual(error.errors, body.errors ?? []);
      assert.deepEqual(error.problem, body);
      return true;
    });
  });
}

for (const { name, frame } of vectors("frames")) {
  test(`a frame of the WebSocket is an event, an error or neither: ${name}`, async () => {
    const jobId = frame.job_id ?? "gen_abc000000005";
    const last = { type: "completed", job_id: jobId, seq: 99, status: "completed", progress: 1, message: "", at: "" };
    await using gateway = await startGateway(() => {}, [[frame, last]]);
    const heard: unknown[] = [];
    const socket = new EventSocket(gateway.client);
    await new Promise<void>((resolve) => {
      const onEvent = (event: { seq: number }) => (event.seq === 99 ? resolve() : heard.push(event));
      // Audio keeps the subscription open after the last event.
      socket.subscribe(jobId, { onEvent, onAudio: () => {}, onError: (error) => heard.push(error.message) });
    });
    socket.close();
    const expected = { pong: [], error: [frame.detail] }[frame.type as "pong"] ?? [frame];
    assert.deepEqual(heard, expected);
  });
}

for (const { name, hex, samples } of vectors("audio_chunks")) {
  test(`a chunk of live audio is read or refused: ${name}`, () => {
    const frame = Uint8Array.from(Buffer.from(hex, "hex")).buffer;
    if (samples === null) {
      assert.throws(() => decodeAudioFrame(frame));
      return;
    }
    const { header, channels } = decodeAudioFrame(frame);
    const interleaved = Array.from({ length: header.frames }, (_, at) => channels.map((channel) => channel[at]));
    assert.deepEqual(interleaved.flat(), samples.map(Math.fround));
  });
}

for (const { text, milliseconds } of vectors("timestamps")) {
  test(`a time is read or refused: ${JSON.stringify(text)}`, () => {
    if (milliseconds === null) assert.throws(() => parseTime(text), RangeError);
    else assert.equal(parseTime(text).getTime(), milliseconds);
  });
}

for (const { name, secret, id, timestamp, signature, body, now, valid } of vectors("webhooks")) {
  test(`a webhook is verified: ${name}`, async () => {
    const headers = { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature };
    const found = verifyWebhook(body, new Headers(headers), [secret], { now });
    if (valid) assert.deepEqual(await found, JSON.parse(body));
    else await assert.rejects(found, WebhookError);
  });
}
