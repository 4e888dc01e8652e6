import { signal } from "@preact/signals";
import { ApiError, type UploadedFile } from "@tellurstori/musicgen";
import { client } from "../api/gateway.ts";
import { announce, keyProblem, noteError, tell } from "./connection.ts";
import { change, form, NOTHING } from "./form.ts";
import { plainly } from "./plain-words.ts";
import { whenBack } from "./retry.ts";
import { type Source, sourceOfFile } from "./sources.ts";
import { storedSignal } from "./storage.ts";

/** Of the gateway, in bytes: a larger file is not sent. */
const LARGEST = 64 * 2 ** 20;
/** More at once would take the connections that the page needs for the rest. */
const AT_ONCE = 2;
/** How often an upload that breaks off is repeated while the service is there. */
const MOST_BREAKS = 3;

/** A file on its way, or why it was refused. */
export interface Transfer {
  id: number;
  name: string;
  /** The share that was sent, from 0 to 1; null until its turn, and while the service is away. */
  progress: number | null;
  problem: string;
  abort: AbortController;
}

/** The files that this browser uploaded, the youngest first. The gateway lists none. */
export const files = storedSignal<readonly Source[]>("files", []);
export const transfers = signal<readonly Transfer[]>([]);

let count = 0;
let free = AT_ONCE;
const turns: (() => void)[] = [];

/** Uploads files, a few at a time. The form begins with the first one, unless it begins with something already. */
export function upload(chosen: Iterable<File>): void {
  for (const file of chosen) void transfer(file);
}

/** Ends an upload, or forgets its refusal. */
export function dismiss({ id, abort }: Transfer): void {
  abort.abort();
  transfers.value = transfers.peek().filter((each) => each.id !== id);
}

/** Deletes an uploaded file here and on the gateway. Takes that were made of it keep their music. */
export async function remove(source: Source): Promise<void> {
  try {
    await client.deleteUpload(String(source.ref.audio_id));
  } catch (error) {
    const message = noteError(error);
    if (!(error instanceof ApiError && error.status === 404)) return tell(message);
  }
  files.value = files.peek().filter((each) => each !== source);
  if (isChosen(source)) change(NOTHING);
  announce(`${source.name} is deleted.`);
}

export function isChosen({ ref }: Source): boolean {
  return JSON.stringify(form.value.source?.ref) === JSON.stringify(ref);
}

async function transfer(file: File): Promise<void> {
  const { name } = file;
  const started: Transfer = { id: ++count, name, progress: null, problem: "", abort: new AbortController() };
  transfers.value = [...transfers.peek(), started];
  const { id, abort } = started;
  try {
    await checkFile(file);
    await turn();
    try {
      finish(await send(file, id, abort.signal), name);
    } finally {
      endTurn();
    }
    dismiss(started);
  } catch (error) {
    if (abort.signal.aborted) return;
    const problem = plainly(noteError(error));
    update(id, { problem, progress: null });
    if (keyProblem.peek() !== null) dismiss(started); // the page asks for a key instead
  }
}

async function checkFile(file: File): Promise<void> {
  if (file.size > LARGEST) throw new Error("A file may have at most 64 MiB. Upload a part of it.");
  await file
    .slice(0, 1)
    .arrayBuffer()
    .catch(() => {
      throw new Error("It cannot be read: it is a folder, or it was moved or changed. Choose it again.");
    });
}

/** Sends a file, and again when the service is back. A gateway that is there and breaks off is asked a few times. */
function send(file: File, id: number, signal: AbortSignal): Promise<UploadedFile> {
  let breaks = 0;
  const onProgress = (progress: number) => update(id, { progress });
  const onWait = async (error: ApiError) => {
    update(id, { progress: null });
    await checkFile(file);
    if (error.status !== 0) return; // it is there, and asks to wait
    if (await isThere()) breaks++;
    else noteError(error);
    if (breaks === MOST_BREAKS)
      throw new Error("The upload breaks off, though the service answers. Check the network and its proxies.");
  };
  return whenBack(() => client.upload(file, { onProgress, signal }), signal, onWait);
}

function isThere(): Promise<boolean> {
  return client.health().then(
    () => true,
    () => false,
  );
}

function finish(file: UploadedFile, name: string): void {
  const source = sourceOfFile(file, name);
  files.value = [source, ...files.peek()];
  if (form.peek().source) tell(`${name} is uploaded.`);
  else change({ ...NOTHING, source });
  announce(`${name} is uploaded.`);
}

function update(id: number, news: Partial<Transfer>): void {
  transfers.value = transfers.peek().map((each) => (each.id === id ? { ...each, ...news } : each));
}

async function turn(): Promise<void> {
  if (free > 0) free--;
  else await new Promise<void>((resolve) => turns.push(resolve));
}

function endTurn(): void {
  const next = turns.shift();
  if (next) next();
  else free++;
}
