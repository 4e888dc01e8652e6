import { announce } from "./connection.ts";

/** Milliseconds in which takes that end are told together: the takes of a request often end at once. */
const TOGETHER = 1500;
const ENDINGS: Record<string, string> = { completed: "ready", failed: "failed", cancelled: "cancelled" };

let ended: { status: string; prompt: string }[] = [];

/** Tells a screen reader that a take has ended: one alone with its prompt, several in one sentence. */
export function announceEnding(status: string, prompt: string): void {
  if (ended.length === 0) setTimeout(tellEndings, TOGETHER);
  ended.push({ status, prompt });
}

function tellEndings(): void {
  const [first, ...others] = ended;
  if (first && others.length === 0) announce(`Take ${ENDINGS[first.status]}: ${first.prompt}`);
  else announce(summary(ended.map(({ status }) => status)));
  ended = [];
}

/** For example "3 takes ready, 1 failed." */
export function summary(statuses: string[]): string {
  const counts = Object.entries(ENDINGS)
    .map(([status, word]) => ({ word, count: statuses.filter((each) => each === status).length }))
    .filter(({ count }) => count > 0);
  const [{ word, count } = { word: "", count: 0 }, ...rest] = counts;
  const others = rest.map((each) => `, ${each.count} ${each.word}`).join("");
  return `${count} ${count === 1 ? "take" : "takes"} ${word}${others}.`;
}
