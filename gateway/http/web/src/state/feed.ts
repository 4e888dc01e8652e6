import { effect, signal } from "@preact/signals";
import type { JobEvent, JobView } from "@tellurstori/musicgen";
import { client, socket } from "../api/gateway.ts";
import { LiveAudio } from "../audio/live.ts";
import { announceEnding } from "./announcements.ts";
import { isAway, keyProblem, noteError } from "./connection.ts";
import { addJobs, isRunning, TERMINAL, takes, updateJob } from "./takes.ts";

/** Milliseconds between looks at the list. Running jobs are followed over the WebSocket besides. */
const PERIOD = 2000;
const PERIOD_AWAY = 1000;
const LONGEST_ANSWER = 15_000;
/** How many jobs each look asks for, the first look, and those that read on: the gateway's limit. */
const FEW = 10;
const PAGE = 50;
const MOST = 200;
/** Live audio of more jobs at once would cost memory that the page has no use for. */
const MOST_LIVE = 8;

export const hasLoaded = signal(false);
/** Where the older jobs continue, or null at the end. */
export const olderCursor = signal<string | null>(null);
export const isLoadingOlder = signal(false);
/** Audio of jobs that are being made, or were made while the page was open. */
export const live = signal<ReadonlyMap<string, LiveAudio>>(new Map());

const followed = new Set<string>();
let timer: ReturnType<typeof setTimeout> | undefined;

/** Loads the list, and keeps it fresh as long as the page is visible. */
export function startFeed(): void {
  socket.onState = (state) => {
    if (state === "waiting") look();
  };
  document.addEventListener("visibilitychange", () => !document.hidden && look());
  addEventListener("online", look);
  effect(() => {
    for (const { job } of takes.value.values()) if (isRunning(job.peek())) follow(job.peek());
  });
  look();
}

/** Looks at the list now. */
export async function look(): Promise<void> {
  clearTimeout(timer);
  if (keyProblem.peek() !== null) return;
  // A request may hang for minutes where a network has changed. It counts as no answer, and another one is sent.
  timer = setTimeout(() => {
    isAway.value = true;
    void look();
  }, LONGEST_ANSWER);
  try {
    await readNewest();
    if (isAway.peek()) socket.retry();
    isAway.value = false;
  } catch (error) {
    noteError(error);
  }
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(look, isAway.peek() ? PERIOD_AWAY : PERIOD);
}

export async function loadOlder(): Promise<void> {
  const cursor = olderCursor.peek();
  if (cursor === null || isLoadingOlder.peek()) return;
  isLoadingOlder.value = true;
  try {
    const page = await client.jobs({ limit: 100, cursor });
    addJobs(page.jobs);
    olderCursor.value = page.next_cursor;
  } catch (error) {
    noteError(error);
  } finally {
    isLoadingOlder.value = false;
  }
}

/** Reads jobs again, for example because the last event of a job does not have all that its status has. */
export async function readJobs(...ids: string[]): Promise<void> {
  try {
    addJobs(await Promise.all(ids.map((id) => client.status(id))));
  } catch (error) {
    noteError(error);
  }
}

async function readNewest(): Promise<void> {
  const isFirst = takes.peek().size === 0;
  let page = await client.jobs({ limit: isFirst ? PAGE : FEW });
  if (isFirst) olderCursor.value = page.next_cursor;
  // Many jobs may have come since the last look, as while the page was hidden: read on to one that is known.
  while (!isFirst && page.next_cursor && page.jobs.every(({ job_id }) => !takes.peek().has(job_id))) {
    addJobs(page.jobs);
    page = await client.jobs({ limit: MOST, cursor: page.next_cursor });
  }
  addJobs(page.jobs);
  hasLoaded.value = true;
}

function follow(job: JobView): void {
  if (followed.has(job.job_id)) return;
  followed.add(job.job_id);
  const audio = live.peek().size < MOST_LIVE ? new LiveAudio(job.duration) : null;
  if (audio) live.value = new Map(live.peek()).set(job.job_id, audio);
  socket.subscribe(job.job_id, {
    onEvent,
    ...(audio && { onAudio: (frame) => audio.add(frame) }),
  });
}

function onEvent(event: JobEvent): void {
  const { job_id, status, progress, message } = event;
  const before = takes.peek().get(job_id)?.job.peek();
  if (!before) return;
  if (!TERMINAL.has(status)) {
    const startedAt = status === "processing" && !before.started_at ? { started_at: event.at } : {};
    updateJob({ job_id, status, progress, message, ...startedAt });
    return;
  }
  void readJobs(job_id);
  announceEnding(status, before.prompt);
  // Late chunks of live audio may still arrive; then the file takes over.
  setTimeout(() => forget(job_id), 3000);
}

function forget(jobId: string): void {
  socket.unsubscribe(jobId);
  followed.delete(jobId);
  const rest = new Map(live.peek());
  rest.delete(jobId);
  live.value = rest;
}
