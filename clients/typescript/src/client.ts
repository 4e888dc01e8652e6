import { readFile } from "./download.ts";
import { errorOf, JobFailedError, unreachable } from "./errors.ts";
import { type FollowOptions, follow } from "./following.ts";
import type {
  BuiltPrompt,
  ChildAccepted,
  Complexity,
  Event,
  ExtendRequest,
  GenerateRequest,
  HealthReport,
  JobAccepted,
  JobList,
  JobStatus,
  JobView,
  Message,
  ModelList,
  ParsedPrompt,
  PromptComponents,
  ReplaceRequest,
  UploadedFile,
  VaryRequest,
  Vocabulary,
} from "./schema.d.ts";
import { sendFile, type UploadOptions } from "./upload.ts";

/** How to reach a gateway. */
export interface Connection {
  /** Its address without a slash at the end; empty for the origin of the page. */
  baseUrl: string;
  /** The API key, or empty on a gateway without keys. It is sent in headers only, never in a URL. */
  apiKey: string;
}

export type ClientOptions = Partial<Connection>;

/** The operations of the gateway. Each method throws an `ApiError` if the gateway refuses or cannot be reached. */
export class Client implements Connection {
  readonly baseUrl: string;
  readonly apiKey: string;

  constructor({ baseUrl = "", apiKey = "" }: ClientOptions = {}) {
    this.baseUrl = baseUrl.replace(/\/+$/, "");
    this.apiKey = apiKey;
  }

  /** Starts a job, or several with `variations`. With the same `idempotencyKey`, a repeated call returns the first. */
  generate(request: GenerateRequest, idempotencyKey?: string): Promise<JobAccepted> {
    return this.start("/api/v1/generate", request, idempotencyKey);
  }

  /** Starts a child of a take in which a share of the bars and instruments is composed again. */
  vary(jobId: string, request: VaryRequest, idempotencyKey?: string): Promise<ChildAccepted> {
    return this.start(`/api/v1/jobs/${encodeURIComponent(jobId)}/vary`, request, idempotencyKey);
  }

  /** Starts a child of a take that is longer at its end or at its start. */
  extend(jobId: string, request: ExtendRequest, idempotencyKey?: string): Promise<ChildAccepted> {
    return this.start(`/api/v1/jobs/${encodeURIComponent(jobId)}/extend`, request, idempotencyKey);
  }

  /** Starts a child of a take in which some bars are composed again. */
  replace(jobId: string, request: ReplaceRequest, idempotencyKey?: string): Promise<ChildAccepted> {
    return this.start(`/api/v1/jobs/${encodeURIComponent(jobId)}/replace`, request, idempotencyKey);
  }

  status(jobId: string): Promise<JobView> {
    return this.send("GET", `/api/v1/status/${encodeURIComponent(jobId)}`);
  }

  /**
   * The job's present state as an event, or the first event after `afterSeq`, and then every event to its last one. The
   * connection is opened again as often as it breaks, without missing a change of the status.
   */
  async *events(jobId: string, options: FollowOptions = {}): AsyncGenerator<Event, void> {
    await this.status(jobId); // says what is wrong with the job or the key, which a WebSocket cannot
    yield* follow(this, jobId, options);
  }

  /** Waits for the job's end and returns its final state. Throws a `JobFailedError` if it failed or was cancelled. */
  async wait(jobId: string, options: FollowOptions = {}): Promise<JobView> {
    for await (const _ of this.events(jobId, options));
    const job = await this.status(jobId);
    if (job.status !== "completed") throw new JobFailedError(job);
    return job;
  }

  /** A page of jobs, newest first. */
  jobs(query: { limit?: number; status?: JobStatus; cursor?: string } = {}): Promise<JobList> {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    return this.send("GET", `/api/v1/jobs?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`);
  }

  /** Cancels a job. With `keep`, the audio made so far is stored; with `takes`, all takes of its request end. */
  cancel(jobId: string, { keep = false, takes = false } = {}): Promise<Message> {
    const query = [keep && "keep=1", takes && "takes=1"].filter(Boolean).join("&");
    return this.send("DELETE", `/api/v1/jobs/${encodeURIComponent(jobId)}${query && `?${query}`}`);
  }

  /** Stores a WAV, FLAC, Ogg, MP3 or MIDI file for requests to name. It is sent once: a second call is a second file. */
  async upload(file: Blob, { onProgress, signal }: UploadOptions = {}): Promise<UploadedFile> {
    const path = "/api/v1/audio";
    const isTold = onProgress && typeof XMLHttpRequest !== "undefined";
    const headers = { "Content-Type": "application/octet-stream" };
    const response = isTold
      ? await sendFile(this, path, file, { onProgress, ...(signal && { signal }) })
      : await this.fetch(path, { method: "POST", headers, body: file, ...(signal && { signal }) });
    if (!response.ok) throw await errorOf(response);
    return (await response.json()) as UploadedFile;
  }

  /** What is known of an uploaded file. */
  uploaded(audioId: string): Promise<UploadedFile> {
    return this.send("GET", `/api/v1/audio/${encodeURIComponent(audioId)}`);
  }

  /** Deletes an uploaded file. Jobs that were made of it keep their music. */
  deleteUpload(audioId: string): Promise<Message> {
    return this.send("DELETE", `/api/v1/audio/${encodeURIComponent(audioId)}`);
  }

  parsePrompt(prompt: string): Promise<ParsedPrompt> {
    return this.send("POST", "/api/v1/prompt/parse", { prompt });
  }

  buildPrompt(components: PromptComponents): Promise<BuiltPrompt> {
    return this.send("POST", "/api/v1/prompt/build", components);
  }

  randomPrompt(complexity: Complexity = "medium"): Promise<BuiltPrompt> {
    return this.send("GET", `/api/v1/prompt/random?complexity=${complexity}`);
  }

  vocabulary(): Promise<Vocabulary> {
    return this.send("GET", "/api/v1/prompt/vocabulary");
  }

  /** The models that workers serve, and what each can do. */
  models(): Promise<ModelList> {
    return this.send("GET", "/api/v1/models");
  }

  /** The health of every part. A service that cannot work is an answer, not an error. */
  async health(): Promise<HealthReport> {
    const response = await this.fetch("/health");
    if (response.ok || response.status === 503) return (await response.json()) as HealthReport;
    throw await errorOf(response);
  }

  /** The whole audio file of a finished job. Neither an error's body nor a broken download is ever returned as audio. */
  async audio(jobId: string, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    return readFile(await this.file(`/api/v1/download/${encodeURIComponent(jobId)}`, signal), "audio/");
  }

  /** Another file of a finished job, by its name: a stem, `audio.mid`, or all files as `bundle.zip`. */
  async output(jobId: string, name: string, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const path = `/api/v1/download/${encodeURIComponent(jobId)}/${encodeURIComponent(name)}`;
    return readFile(await this.file(path, signal));
  }

  /** A file of a job, through the gateway, so that no other origin is needed. `path` is as in the status. */
  async file(path: string, signal?: AbortSignal): Promise<Response> {
    const response = await this.fetch(`${path}?proxy=1`, signal ? { signal } : {});
    if (!response.ok) throw await errorOf(response);
    return response;
  }

  /** Sends a request with the API key. */
  async fetch(path: string, options: RequestInit = {}): Promise<Response> {
    const headers = new Headers(options.headers);
    if (this.apiKey) headers.set("Authorization", `Bearer ${this.apiKey}`);
    try {
      return await fetch(this.baseUrl + path, { ...options, headers });
    } catch (error) {
      if (options.signal?.aborted) throw error;
      throw unreachable();
    }
  }

  private start<Answer>(path: string, request: object, idempotencyKey?: string): Promise<Answer> {
    return this.send("POST", path, request, idempotencyKey ? { "Idempotency-Key": idempotencyKey } : {});
  }

  private async send<Answer>(method: string, path: string, body?: object, extra: HeadersInit = {}): Promise<Answer> {
    const headers = new Headers(extra);
    headers.set("Accept", "application/json");
    if (body) headers.set("Content-Type", "application/json");
    const response = await this.fetch(path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    if (!response.ok) throw await errorOf(response);
    return (await response.json()) as Answer;
  }
}
