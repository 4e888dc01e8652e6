import { client } from "../api/gateway.ts";
import { isAway, noteError, tell } from "../state/connection.ts";
import { hasStore } from "../state/health.ts";
import { whenBack } from "../state/retry.ts";

interface NamedFile {
  path: string;
  name: string;
  type: string;
}

/** Files that were fetched with an API key, because neither a link nor a drag can send one. */
const fetched = new Map<string, Promise<string>>();
const ready = new Map<string, string>();

/** Lets the browser follow the link; with an API key, or until the store is back, fetches the file first. */
export async function download(event: MouseEvent, file: NamedFile): Promise<void> {
  if (!client.apiKey && hasStore.peek() && !isAway.peek()) return;
  event.preventDefault();
  try {
    save(await blobUrl(file.path), file.name);
  } catch (error) {
    tell(noteError(error));
  }
}

/** Makes the browser save what is at an address. */
export function save(url: string, name: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}

/** Fetches a file before its drag starts, where the drag could not send the API key. */
export function prepareDrag(file: NamedFile): void {
  if (client.apiKey) blobUrl(file.path).catch((error: unknown) => tell(noteError(error)));
}

/** Makes the drag carry the file: Chromium saves it where it is dropped. Other browsers get its address. */
export function dragFile(event: DragEvent, file: NamedFile): void {
  const url = client.apiKey ? ready.get(file.path) : new URL(file.path, location.href).href;
  if (!url || !event.dataTransfer) {
    event.preventDefault();
    tell("The file is still being fetched. Drag it again in a moment.");
    return;
  }
  event.dataTransfer.effectAllowed = "copy";
  event.dataTransfer.setData("DownloadURL", `${file.type}:${file.name}:${url}`);
  event.dataTransfer.setData("text/uri-list", url);
}

function blobUrl(path: string): Promise<string> {
  const known = fetched.get(path);
  if (known) return known;
  const url = whenBack(() => client.file(path))
    .then((response) => response.blob())
    .then((blob) => URL.createObjectURL(blob));
  fetched.set(path, url);
  url.then(
    (found) => ready.set(path, found),
    () => fetched.delete(path),
  );
  return url;
}
