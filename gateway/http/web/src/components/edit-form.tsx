import { type Signal, useComputed, useSignal, useSignalEffect } from "@preact/signals";
import type { JobView } from "@tellurstori/musicgen";
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { client } from "../api/gateway.ts";
import {
  editProblems,
  type FormKind,
  hasScore,
  instrumentsOf,
  isSendingEdit,
  makeChild,
  openEdit,
  showEdit,
} from "../state/edits.ts";
import { numberOf } from "../state/form.ts";
import { barsOf, countBars, player } from "../state/listening.ts";
import { barsInWords } from "./format.ts";
import { Icon } from "./icons.tsx";

interface FormProps {
  job: JobView;
  name: string;
}

/** The form that makes another take of this one, if it is open. */
export function EditForm({ job, name }: FormProps) {
  const edit = openEdit.value;
  if (edit?.jobId !== job.job_id) return null;
  const Fields = FORMS[edit.kind];
  return <Fields key={edit.kind} job={job} name={name} />;
}

const FORMS: Record<FormKind, (props: FormProps) => preact.JSX.Element> = {
  vary: Vary,
  extend: Extend,
  replace: Replace,
};

function Vary({ job, name }: FormProps) {
  const strength = useSignal(0.3);
  const chosen = useSignal(instrumentsOf(job));
  const body = () => ({ strength: strength.peek(), ...named(job, chosen.peek()) });
  return (
    <Frame
      title={`More like ${name}`}
      action="Make a variation"
      onSend={() => makeChild(body(), (key) => client.vary(job.job_id, body(), key))}
    >
      <label class="strength">
        <span>How much is composed again</span>
        <input
          type="range"
          min={0.05}
          max={1}
          step={0.05}
          value={strength}
          aria-valuetext={`${Math.round(100 * strength.value)} %`}
          onInput={({ currentTarget }) => (strength.value = currentTarget.valueAsNumber)}
        />
        <output class="numbers">{Math.round(100 * strength.value)} %</output>
      </label>
      <Instruments job={job} chosen={chosen} />
    </Frame>
  );
}

function Extend({ job, name }: FormProps) {
  const length = useSignal("4");
  const at = useSignal<"start" | "end">("end");
  const prompt = useSignal("");
  const unit = countBars(job) === null ? "seconds" : "bars";
  const body = () => ({ [unit]: numberOf(length.peek()), at: at.peek(), ...described(prompt.peek()) });
  return (
    <Frame
      title={`Extend ${name}`}
      action={`Add ${length.value} ${length.value === "1" ? unit.slice(0, -1) : unit}`}
      onSend={() => makeChild(body(), (key) => client.extend(job.job_id, body(), key))}
    >
      <BarField field={unit} label={unit === "bars" ? "Bars to add" : "Seconds to add"} value={length} />
      {hasScore(job) && (
        <fieldset class="segments">
          <legend class="visually-hidden">Where to add them</legend>
          {(["start", "end"] as const).map((place) => (
            <label key={place}>
              <input type="radio" name="at" checked={at.value === place} onChange={() => (at.value = place)} />
              <span>at the {place}</span>
            </label>
          ))}
        </fieldset>
      )}
      <OwnPrompt value={prompt} />
    </Frame>
  );
}

/** The bars follow the loop region of the take as long as the form is open. */
function Replace({ job, name }: FormProps) {
  const from = useSignal("1");
  const to = useSignal(String(Math.min(4, countBars(job) ?? 4)));
  const prompt = useSignal("");
  const chosen = useSignal(instrumentsOf(job));
  const region = useComputed(() => (player.currentId.value === job.job_id ? barsOf(job, player.loop.value) : null));
  useSignalEffect(() => {
    if (!region.value) return;
    from.value = String(region.value.from);
    to.value = String(region.value.to);
  });
  const body = () => ({
    from_bar: numberOf(from.peek()) ?? 0,
    to_bar: numberOf(to.peek()) ?? 0,
    ...named(job, chosen.peek()),
    ...described(prompt.peek()),
  });
  return (
    <Frame
      title={`Replace bars of ${name}`}
      action={`Replace ${barsInWords(Number(from.value), Number(to.value))}`}
      onSend={() => makeChild(body(), (key) => client.replace(job.job_id, body(), key))}
    >
      <BarField field="from_bar" label="From bar" value={from} />
      <BarField field="to_bar" label="To bar" value={to} />
      <p class="dim hint">Drag across the waveform to choose bars.</p>
      <Instruments job={job} chosen={chosen} />
      <OwnPrompt value={prompt} />
    </Frame>
  );
}

interface FrameProps {
  title: string;
  action: string;
  onSend(): void;
  children: ComponentChildren;
}

/** What the forms have in common: a title, the gateway's refusal, and the ways to end. */
function Frame({ title, action, onSend, children }: FrameProps) {
  const element = useRef<HTMLFormElement>(null);
  useLayoutEffect(() => element.current?.querySelector("input")?.focus(), []);
  const close = () => {
    const card = element.current?.closest(".card");
    showEdit(null);
    card?.querySelector("summary")?.focus();
  };
  const problem = Object.values(editProblems.value).join(" ");
  return (
    <form
      ref={element}
      class="edit"
      aria-label={title}
      noValidate
      autocomplete="off"
      onSubmit={(event) => {
        event.preventDefault();
        onSend();
      }}
      onKeyDown={(event) => event.key === "Escape" && close()}
    >
      <header class="row">
        <strong>{title}</strong>
        <span class="spring" />
        <button type="button" class="quiet icon-button" aria-label="Close" onClick={close}>
          <Icon name="close" />
        </button>
      </header>
      <div class="fields">{children}</div>
      <p class="problem" role={problem ? "alert" : undefined}>
        {problem}
      </p>
      <button type="submit" class="accented" aria-disabled={isSendingEdit.value}>
        {isSendingEdit.value ? "Sending…" : action}
      </button>
    </form>
  );
}

function BarField({ field, label, value }: { field: string; label: string; value: Signal<string> }) {
  return (
    <label class="bar-field">
      <span>{label}</span>
      <input
        type="number"
        class="numbers"
        min={1}
        value={value.value}
        aria-invalid={field in editProblems.value}
        onInput={({ currentTarget }) => (value.value = currentTarget.value)}
      />
    </label>
  );
}

/** All instruments are composed again, except those that are switched off. */
function Instruments({ job, chosen }: { job: JobView; chosen: Signal<string[]> }) {
  const all = instrumentsOf(job);
  if (all.length < 2) return null;
  return (
    <div class="players">
      <span id="players">Instruments to compose again</span>
      <div class="chips" role="group" aria-labelledby="players">
        {all.map((name) => (
          <button
            key={name}
            type="button"
            class="chip"
            aria-pressed={chosen.value.includes(name)}
            onClick={() => {
              const others = chosen.peek().filter((each) => each !== name);
              chosen.value = others.length < chosen.peek().length ? others : [...others, name];
            }}
          >
            {name}
          </button>
        ))}
      </div>
    </div>
  );
}

function OwnPrompt({ value }: { value: Signal<string> }) {
  return (
    <label class="own-prompt">
      <span>Description of the new bars</span>
      <input
        maxLength={500}
        placeholder="as before"
        value={value.value}
        aria-invalid={"prompt" in editProblems.value}
        onInput={({ currentTarget }) => (value.value = currentTarget.value)}
      />
    </label>
  );
}

/** The chosen instruments; without the field all are composed again. */
function named(job: JobView, chosen: string[]): { instruments?: string[] } {
  return chosen.length === instrumentsOf(job).length ? {} : { instruments: chosen };
}

function described(prompt: string): { prompt?: string } {
  return prompt.trim() ? { prompt: prompt.trim() } : {};
}
