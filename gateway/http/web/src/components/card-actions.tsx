import type { JobView } from "@tellurstori/musicgen";
import { useRef } from "preact/hooks";
import { beginWith, makeAnother, reuse } from "../state/actions.ts";
import { EDITS, makeParts, showEdit } from "../state/edits.ts";
import { form } from "../state/form.ts";
import { player } from "../state/listening.ts";
import { hidden, names, rename, toggleMark } from "../state/marks.ts";
import { modelFor } from "../state/models.ts";
import { MODES, type Mode, type Source, sourceOfTake } from "../state/sources.ts";
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
        <SourceItems job={job} name={name} />
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
  const edits = EDITS.filter(({ suits }) => suits(job));
  const hasStems = job.outputs.some(({ kind }) => kind === "stem");
  const why = job.recipe.score
    ? "Bars of a score are not replaced: use its score, or change it in a DAW."
    : `${job.model} writes no score: bars cannot be changed.`;
  return (
    <>
      {edits.map(({ kind, label }) => (
        <button key={kind} type="button" class="item" onClick={() => showEdit({ jobId: job.job_id, kind })}>
          {label}
        </button>
      ))}
      {edits.length === 0 && job.status === "completed" && <p class="note dim">{why}</p>}
      {job.instruments && !hasStems && (
        <button type="button" class="item" onClick={() => makeParts(job)}>
          Make stems and MIDI
        </button>
      )}
    </>
  );
}

/** What begins new music with this take, as far as a model can. The form then has the take. */
function SourceItems({ job, name }: { job: JobView; name: string }) {
  const title = `${name}: ${job.title ?? job.prompt}`.slice(0, 80);
  const items = MODES.flatMap((mode) => {
    const label = ITEMS[mode.name];
    const model = modelFor(form.value.model, mode);
    return label && model !== null && hasSource(job, mode.of) ? [{ mode, label, model }] : [];
  });
  return (
    <>
      {items.map(({ mode, label, model }) => (
        <button
          key={mode.name}
          type="button"
          class="item"
          onClick={() => beginWith(sourceOfTake(job, mode.of, title), mode.name, model, placeIn(job, mode))}
        >
          {label}
        </button>
      ))}
      <hr />
    </>
  );
}

/** The modes that have an item in the menu of a take. */
const ITEMS: Readonly<Record<string, string>> = { play: "Use its score…", continue_from: "Continue from here…" };

function hasSource(job: JobView, kind: Source["kind"]): boolean {
  if (kind === "score") return job.status === "completed" && job.instruments !== null;
  return !isRunning(job) && job.audio_url !== null && !job.audio_expired;
}

/** Where the take is heard now, or its end; a score is used as a whole. */
function placeIn(job: JobView, { of }: Mode): number | null {
  const isHeard = of === "audio" && player.currentId.peek() === job.job_id && player.position.peek() > 0.1;
  return isHeard ? player.position.peek() : null;
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
