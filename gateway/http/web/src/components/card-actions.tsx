import type { JobView } from "@tellurstori/musicgen";
import { useRef } from "preact/hooks";
import { makeAnother, reuse } from "../state/actions.ts";
import { EDITS, hasScore, makeParts, showEdit } from "../state/edits.ts";
import { hidden, names, rename, toggleMark } from "../state/marks.ts";
import { isRunning } from "../state/takes.ts";
import { exportHeard } from "./export.ts";
import { FileLink, filesOf } from "./file-link.tsx";
import { Icon } from "./icons.tsx";

/** Download by click or drag, and the menu with all else. */
export function CardActions({ job, name }: { job: JobView; name: string }) {
  const [audio, ...others] = filesOf(job);
  return (
    <>
      {!isRunning(job) && (
        <button
          type="button"
          class="quiet wide-only"
          title="Another take with a new seed"
          onClick={() => makeAnother(job)}
        >
          Another take
        </button>
      )}
      {audio && <FileLink file={audio} class="button quiet icon-button" label={`Download ${name}`} />}
      <Menu name={name}>
        <button type="button" class="item" onClick={() => makeAnother(job)}>
          Another take
        </button>
        <EditItems job={job} />
        <button type="button" class="item" onClick={() => reuse(job)}>
          Reuse settings
        </button>
        {names.value[job.job_id] && (
          <button type="button" class="item" onClick={() => rename(job.job_id, "")}>
            Remove the name
          </button>
        )}
        <button type="button" class="item" onClick={() => toggleMark(hidden, job.job_id)}>
          {hidden.value.includes(job.job_id) ? "Show again" : "Hide"}
        </button>
        {audio && <hr />}
        {others.map((file) => (
          <FileLink key={file.path} file={file} class="item" />
        ))}
        {audio && (
          <button type="button" class="item" onClick={() => exportHeard(job)}>
            Save what is heard (WAV)
          </button>
        )}
      </Menu>
    </>
  );
}

/** What makes another take of this one, or why nothing does. The forms open below its waveform. */
function EditItems({ job }: { job: JobView }) {
  const hasStems = job.outputs.some(({ kind }) => kind === "stem");
  const edits = EDITS.filter(({ suits }) => suits(job));
  if (edits.length === 0) {
    if (job.status !== "completed") return null;
    return <p class="note dim">{job.model} writes no score: bars cannot be changed.</p>;
  }
  return (
    <>
      {edits.map(({ kind, label }) => (
        <button key={kind} type="button" class="item" onClick={() => showEdit({ jobId: job.job_id, kind })}>
          {label}
        </button>
      ))}
      {hasScore(job) && !hasStems && (
        <button type="button" class="item" onClick={() => makeParts(job)}>
          Make stems and MIDI
        </button>
      )}
      <hr />
    </>
  );
}

function Menu({ name, children }: { name: string; children: preact.ComponentChildren }) {
  const menu = useRef<HTMLDetailsElement>(null);
  const close = () => menu.current?.removeAttribute("open");
  return (
    <details
      ref={menu}
      class="menu"
      onToggle={({ currentTarget }) => {
        if (currentTarget.open) currentTarget.lastElementChild?.scrollIntoView({ block: "nearest" });
      }}
      onFocusOut={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) close();
      }}
      onClick={({ target }) => {
        if ((target as HTMLElement).matches(".item")) close();
      }}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        close();
        menu.current?.querySelector("summary")?.focus();
      }}
    >
      <summary class="button quiet icon-button" aria-label={`More for ${name}`}>
        <Icon name="more" />
      </summary>
      <div class="items">{children}</div>
    </details>
  );
}
