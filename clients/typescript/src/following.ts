import type { Connection } from "./client.ts";
import { EventSocket, TERMINAL } from "./event-socket.ts";
import type { Event } from "./schema.d.ts";

/** How to follow a job. */
export interface FollowOptions {
  /** The `seq` of the last event that the caller knows: begins after it. */
  afterSeq?: number;
  /** Ends the waiting; the generator throws its reason. */
  signal?: AbortSignal;
}

/** The events of a job up to its last one, in a WebSocket of their own that reconnects by itself. */
export async function* follow(
  connection: Connection,
  jobId: string,
  { afterSeq, signal }: FollowOptions,
): AsyncGenerator<Event, void> {
  const socket = new EventSocket(connection);
  const queue: Event[] = [];
  let failure: { reason: unknown } | null = null;
  let wake = () => {};
  const fail = (reason: unknown) => {
    failure ??= { reason };
    wake();
  };
  const abort = () => fail(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort);
  const onEvent = (event: Event) => {
    queue.push(event);
    wake();
  };
  socket.subscribe(jobId, { onEvent, onError: fail }, afterSeq);
  try {
    while (true) {
      const event = queue.shift();
      if (event) {
        yield event;
        if (TERMINAL.has(event.status)) return;
      } else if (failure) {
        throw (failure as { reason: unknown }).reason;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    signal?.removeEventListener("abort", abort);
    socket.close();
  }
}
