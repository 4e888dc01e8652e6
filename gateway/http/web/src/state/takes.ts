import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { JobView } from "@tellurstori/musicgen";
import { type Group, groupsOf, type Member } from "./groups.ts";
import { favourites, hidden, names } from "./marks.ts";

/** A job as the page shows it. What never changes stands beside the signal, so that the list need not read it. */
export interface Take extends Member {
  job: Signal<JobView>;
}

export interface ShownGroup extends Group<Take> {
  /** The takes that match the search and the filters. */
  shown: Take[];
}

export const takes: Signal<ReadonlyMap<string, Take>> = signal(new Map());
export const search = signal("");
export const onlyFavourites = signal(false);
export const showHidden = signal(false);
/** How many groups are shown; more follow when the end comes into view. */
export const shownGroups = signal(30);

export const TERMINAL: ReadonlySet<string> = new Set(["completed", "failed", "cancelled"]);

export function isRunning(job: JobView): boolean {
  return !TERMINAL.has(job.status);
}

const allGroups: ReadonlySignal<Group<Take>[]> = computed(() => groupsOf(takes.value.values()));

/** The groups as they were last. One that has not changed stays the same object, so that its cards are not drawn again. */
let known: ReadonlyMap<string, ShownGroup> = new Map();

/** The requests with takes that match the search and the filters. */
export const groups: ReadonlySignal<ShownGroup[]> = computed(() => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = allGroups.value
    .map((group) => ({ ...group, shown: group.takes.filter((take) => isShown(take, words)) }))
    .filter((group) => group.shown.length > 0);
  known = new Map(found.map((group) => [group.request, same(group, known.get(group.request))]));
  return [...known.values()];
});

function same(group: ShownGroup, before: ShownGroup | undefined): ShownGroup {
  const isEqual = (some: Take[], others: Take[]) =>
    some.length === others.length && some.every((each, index) => each === others[index]);
  return before && isEqual(group.takes, before.takes) && isEqual(group.shown, before.shown) ? before : group;
}

/** Adds jobs, or updates known ones. */
export function addJobs(jobs: JobView[]): void {
  const added = jobs.filter((job) => !takes.peek().has(job.job_id)).map(takeOf);
  for (const job of jobs) updateJob(job);
  if (added.length > 0)
    takes.value = new Map([...takes.peek(), ...added.map((take): [string, Take] => [take.id, take])]);
}

/** Changes fields of a known job. A late message cannot change a final status. */
export function updateJob(news: Partial<JobView> & { job_id: string }): void {
  const signalOfJob = takes.peek().get(news.job_id)?.job;
  if (!signalOfJob) return;
  const job = signalOfJob.peek();
  if (TERMINAL.has(job.status) && news.status && news.status !== job.status) return;
  const next = { ...job, ...news };
  if (JSON.stringify(next) !== JSON.stringify(job)) signalOfJob.value = next;
}

function takeOf(job: JobView): Take {
  const { seed: _, edit: __, ...settings } = job.recipe;
  return {
    id: job.job_id,
    createdAt: Date.parse(job.created_at),
    request: JSON.stringify(settings),
    parent: job.parent,
    job: signal(job),
  };
}

function isShown(take: Take, words: string[]): boolean {
  if (!showHidden.value && hidden.value.includes(take.id)) return false;
  if (onlyFavourites.value && !favourites.value.includes(take.id)) return false;
  if (words.length === 0) return true;
  const text = textOf(take);
  return words.every((word) => text.includes(word));
}

/** What the search looks through. */
function textOf(take: Take): string {
  const job = take.job.value;
  const parts = [
    names.value[take.id],
    job.title,
    job.prompt,
    job.bpm && `${job.bpm} bpm`,
    job.key,
    job.meter,
    job.model,
    job.bars && `${job.bars} bars`,
    job.loop && "loop",
    ...(job.instruments ?? []).map(({ name }) => name),
  ];
  return parts.filter(Boolean).join(" ").toLowerCase();
}
