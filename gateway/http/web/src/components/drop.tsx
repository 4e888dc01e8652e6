import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { keyProblem } from "../state/connection.ts";
import { upload } from "../state/uploads.ts";

/** Takes files that are dropped anywhere on the page. Without it, the browser would leave the page for the file. */
export function DropTarget() {
  const isOver = useSignal(false);
  useEffect(() => {
    const end = new AbortController();
    const listen = (type: "dragover" | "dragleave" | "drop", act: (event: DragEvent) => void) =>
      addEventListener(
        type,
        (event) => {
          if (event.dataTransfer?.types.includes("Files")) act(event);
        },
        { signal: end.signal },
      );
    listen("dragover", (event) => {
      event.preventDefault();
      isOver.value = keyProblem.peek() === null;
      event.dataTransfer!.dropEffect = isOver.peek() ? "copy" : "none";
    });
    listen("dragleave", (event) => {
      if (event.relatedTarget === null) isOver.value = false; // it has left the window
    });
    listen("drop", (event) => {
      event.preventDefault();
      if (keyProblem.peek() === null) upload(event.dataTransfer!.files);
      isOver.value = false;
    });
    return () => end.abort();
  }, []);
  return isOver.value ? <div class="drop">Drop audio or MIDI files</div> : null;
}
