import { useRef } from "preact/hooks";
import { change, form, mode, modes, NOTHING, numberOf, problems } from "../state/form.ts";
import { ableModels, isKnown, modelOf, models } from "../state/models.ts";
import { MODES, type Source } from "../state/sources.ts";
import { dismiss, files, isChosen, remove, type Transfer, transfers, upload } from "../state/uploads.ts";
import { clock } from "./format.ts";
import { Icon } from "./icons.tsx";
import { ScorePlayers } from "./score-players.tsx";

const ACCEPTED = ".wav,.flac,.ogg,.mp3,.mid,.midi,audio/*";

/** What the music begins with: an uploaded file, or a take. */
export function ComposeSource() {
  const { source } = form.value;
  return (
    <section class="source" aria-label="Begin with a file or a take">
      <div class="row">
        {(source || files.value.length > 0) && <Choice />}
        <AddFile />
        {source && files.value.some(isChosen) && (
          <button
            type="button"
            class="quiet icon-button"
            aria-label={`Delete ${source.name}`}
            title="Delete the file"
            onClick={() => remove(files.peek().find(isChosen)!)}
          >
            <Icon name="bin" />
          </button>
        )}
      </div>
      {transfers.value.map((each) => (
        <OnItsWay key={each.id} transfer={each} />
      ))}
      {source && models.value && <Use source={source} />}
      <SourceProblem />
    </section>
  );
}

/** Which file or take; a take is chosen in its menu. */
function Choice() {
  const { source } = form.value;
  const isFile = files.value.some(isChosen);
  const shown = source && !isFile ? [source, ...files.value] : files.value;
  return (
    <label class="choice">
      <span>Begin with</span>
      <select
        id="source"
        value={String(source ? shown.findIndex(isChosen) : "")}
        onChange={({ currentTarget }) =>
          change({ ...NOTHING, source: shown[Number(currentTarget.value || -1)] ?? null })
        }
      >
        <option value="">nothing</option>
        {shown.map((each, index) => (
          <option key={JSON.stringify(each.ref)} value={String(index)}>
            {`${isolated(each.name)} · ${clock(each.duration)}`}
          </option>
        ))}
      </select>
    </label>
  );
}

/** A name in another direction of writing must not turn what stands beside it. */
function isolated(name: string): string {
  return `\u2068${name}\u2069`;
}

function AddFile() {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button
        type="button"
        class="quiet"
        title="WAV, FLAC, Ogg, MP3 or MIDI; or drop it anywhere on the page"
        onClick={() => input.current?.click()}
      >
        <Icon name="plus" /> Audio or MIDI file…
      </button>
      <input
        ref={input}
        type="file"
        hidden
        multiple
        accept={ACCEPTED}
        onChange={({ currentTarget }) => {
          upload(currentTarget.files ?? []);
          currentTarget.value = ""; // so that the same file can be chosen again
        }}
      />
    </>
  );
}

function OnItsWay({ transfer }: { transfer: Transfer }) {
  const { name, progress, problem } = transfer;
  return (
    <div class="transfer">
      <bdi class="file-name">{name}</bdi>
      {problem ? (
        <p class="problem" role="alert">
          {problem}
        </p>
      ) : (
        <>
          <progress max={1} value={progress ?? undefined} aria-label={`Upload of ${name}`} />
          <span class="dim numbers">{stateOf(progress)}</span>
        </>
      )}
      <button
        type="button"
        class="quiet icon-button"
        aria-label={problem ? `Dismiss ${name}` : `Cancel the upload of ${name}`}
        onClick={() => dismiss(transfer)}
      >
        <Icon name="close" />
      </button>
    </div>
  );
}

function stateOf(progress: number | null): string {
  if (progress === null) return "waiting";
  return progress < 1 ? `${Math.floor(100 * progress)} %` : "checking";
}

/** What is done with the source, as far as the model can. */
function Use({ source }: { source: Source }) {
  const chosen = mode.value;
  if (!chosen) return <Unusable source={source} />;
  return (
    <div class="use">
      <label class="choice">
        <span>How</span>
        <select id="mode" value={chosen.name} onChange={({ currentTarget }) => change({ mode: currentTarget.value })}>
          {modes.value.map(({ name, label }) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </select>
      </label>
      {chosen.of === "audio" && <Excerpt source={source} isEnd={chosen.name === "continue_from"} />}
      {chosen.name === "play" && source.instruments.length > 0 && <ScorePlayers instruments={source.instruments} />}
      <p class="dim hint">{chosen.hint}</p>
    </div>
  );
}

/** Which seconds of audio count. Without them, the gateway takes the end of what is continued, or the first 30. */
function Excerpt({ source, isEnd }: { source: Source; isEnd: boolean }) {
  const length = Math.round(source.duration * 100) / 100;
  const end = numberOf(form.value.to) ?? length;
  const usual = isEnd ? [Math.max(0, end - 12), length] : [0, Math.min(length, (numberOf(form.value.from) ?? 0) + 30)];
  return (
    <div class="excerpt">
      {(["from", "to"] as const).map((field, index) => (
        <label key={field} class="choice">
          <span>{field}</span>
          <input
            class="numbers"
            inputMode="decimal"
            aria-label={`${field === "from" ? "From" : "To"} second`}
            placeholder={String(Math.round(usual[index]! * 100) / 100)}
            value={form.value[field]}
            onInput={({ currentTarget }) => change({ [field]: currentTarget.value })}
          />
        </label>
      ))}
      <span class="dim">seconds</span>
    </div>
  );
}

/** The model can do nothing with the source: which one can. */
function Unusable({ source }: { source: Source }) {
  const able = ableModels(MODES.filter((each) => each.of === source.kind));
  const model = modelOf(form.value.model);
  const [what, example] = source.kind === "audio" ? ["audio", "small"] : ["a score", "starter"];
  return (
    <div class="use">
      <p>
        {isKnown(model)
          ? `The model ${model} can do nothing with ${what}.`
          : `No worker serves the model ${model} now.`}
        {able.length === 0 && ` No worker serves one that uses ${what}, such as ${example}.`}
      </p>
      {able.map((name) => (
        <button key={name} type="button" class="small" onClick={() => change({ model: name })}>
          Use {name}
        </button>
      ))}
    </div>
  );
}

/** What is wrong with the source. The gateway names the part of the field, such as `audio.continue_from.end`. */
function SourceProblem() {
  const found = Object.entries(problems.value).find(([field]) => /^(source|audio|score)\b/.test(field))?.[1];
  return (
    <p id="problem-source" class="problem" role={found ? "alert" : undefined}>
      {found}
    </p>
  );
}
