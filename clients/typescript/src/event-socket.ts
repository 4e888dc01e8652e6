import { type AudioFrame, decodeAudioFrame } from "./audio-frame.ts";
import type { Connection } from "./client.ts";
import { ApiError } from "./errors.ts";
import type { Event, JobStatus, ServerMessage } from "./schema.d.ts";

/** Receives the events of a job and, with `onAudio`, its live audio from the beginning. */
export interface JobListener {
  onEvent(event: Event): void;
  onAudio?(frame: AudioFrame): void;
  /** The gateway refuses or ends a part of the subscription, such as live audio that is read too slowly. */
  onError?(error: ApiError): void;
}

export type ConnectionState = "idle" | "connecting" | "open" | "waiting";

interface Subscription {
  listener: JobListener;
  lastSeq: number | null;
}

const SHORTEST_WAIT = 500;
const LONGEST_WAIT = 10_000;
/** The states that never change. */
export const TERMINAL = new Set<JobStatus>(["completed", "failed", "cancelled"]);

/**
 * One WebSocket for all jobs. It opens with the first subscription, reconnects with growing pauses, and continues each
 * job after the last event that it saw. A subscription ends with the job.
 */
export class EventSocket {
  /** Called at each change of the connection. */
  onState: (state: ConnectionState) => void = () => {};

  private readonly connection: Connection;
  private readonly subscriptions = new Map<string, Subscription>();
  private socket: WebSocket | null = null;
  private wait = SHORTEST_WAIT;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  /** Follows a job, from its present state or after the event `afterSeq`; replaces an earlier subscription to it. */
  subscribe(jobId: string, listener: JobListener, afterSeq?: number): void {
    this.subscriptions.set(jobId, { listener, lastSeq: afterSeq ?? this.subscriptions.get(jobId)?.lastSeq ?? null });
    if (this.socket?.readyState === WebSocket.OPEN) this.request(jobId);
    else if (!this.socket && !this.timer) this.connect();
  }

  unsubscribe(jobId: string): void {
    if (this.subscriptions.delete(jobId)) this.send({ type: "unsubscribe", job_id: jobId });
  }

  /** Ends the connection and all subscriptions. */
  close(): void {
    this.subscriptions.clear();
    clearTimeout(this.timer);
    this.timer = undefined;
    this.socket?.close();
  }

  /** Connects at once instead of after the pause, for example when the network is back. */
  retry(): void {
    if (!this.timer) return;
    clearTimeout(this.timer);
    this.connect();
  }

  private connect(): void {
    this.timer = undefined;
    this.onState("connecting");
    const base = this.connection.baseUrl || location.origin;
    // A browser cannot set headers of a WebSocket, so the key is one of the offered subprotocols.
    const protocols = this.connection.apiKey ? ["musicgen", `musicgen.key.${this.connection.apiKey}`] : [];
    const socket = new WebSocket(`${base.replace(/^http/, "ws")}/ws`, protocols);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.opened();
    socket.onclose = () => this.closed();
    socket.onmessage = ({ data }) => this.receive(data);
    this.socket = socket;
  }

  private opened(): void {
    this.wait = SHORTEST_WAIT;
    this.onState("open");
    for (const jobId of this.subscriptions.keys()) this.request(jobId);
  }

  private closed(): void {
    this.socket = null;
    if (this.subscriptions.size === 0) {
      this.onState("idle");
      return;
    }
    this.onState("waiting");
    this.timer = setTimeout(() => this.connect(), this.wait * (0.75 + Math.random() / 2));
    this.wait = Math.min(2 * this.wait, LONGEST_WAIT);
  }

  private request(jobId: string): void {
    const subscription = this.subscriptions.get(jobId);
    if (!subscription) return;
    const audio = subscription.listener.onAudio !== undefined;
    this.send({ type: "subscribe", job_id: jobId, audio, after_seq: subscription.lastSeq });
  }

  private send(message: object): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  private receive(data: string | ArrayBuffer): void {
    if (typeof data !== "string") {
      const frame = decodeAudioFrame(data);
      this.subscriptions.get(frame.header.job_id)?.listener.onAudio?.(frame);
      return;
    }
    const message = JSON.parse(data) as ServerMessage;
    const subscription = "job_id" in message && message.job_id ? this.subscriptions.get(message.job_id) : undefined;
    if (!subscription) return;
    if (!("seq" in message)) {
      if (message.type === "error") subscription.listener.onError?.(new ApiError(message.detail));
      return;
    }
    // The gateway repeats the latest event after a reconnection.
    if (message.seq <= (subscription.lastSeq ?? 0) && !TERMINAL.has(message.status)) return;
    subscription.lastSeq = message.seq;
    subscription.listener.onEvent(message);
    // The last chunks of live audio may follow the last event, so only a listener without audio ends here.
    if (TERMINAL.has(message.status) && !subscription.listener.onAudio) this.unsubscribe(message.job_id);
  }
}
