import { useSignal } from "@preact/signals";
import { allows, change, EMPTY, type Form, form, problems } from "../state/form.ts";
import { models } from "../state/models.ts";
import { Problem } from "./problem.tsx";

type TextField = {
  [Field in keyof Form]: Form[Field] extends string ? Field : never;
}[keyof Form];

/** Everything else that a request can say, folded away. The summary tells what is set. */
export function ComposeFile() {
  const isOpen = useSignal(false);
  const wrong = WRONG_OPENS.some((field) => field in problems.value);
  return (
    <details
      class="more"
      open={isOpen.value || wrong}
      onToggle={({ currentTarget }) => (isOpen.value = currentTarget.open)}
    >
      <summary>
        <span>More settings</span> <span class="dim">{summary(form.value)}</span>
      </summary>
      <div class="grid">
        <label class="check">
          <input
            type="checkbox"
            checked={form.value.parts}
            onChange={({ currentTarget }) => change({ parts: currentTarget.checked })}
          />
          MIDI and stems
        </label>
        <Problem field="outputs" />
        {allows("negative_prompt") && (
          <Text field="without" problem="negative_prompt" label="Leave out" placeholder="drums, vocals" wide />
        )}
        <Text field="title" problem="title" label="Title" placeholder="from the description" wide />
        {allows("model") && <Model />}
        <Select
          field="format"
          problem="format"
          label="File"
          usual="WAV"
          options={{ flac: "FLAC", ogg: "Ogg", mp3: "MP3" }}
        />
        <Select field="sampleRate" problem="sample_rate" label="Sample rate" usual="the model's" options={RATES} />
        {["", "flac"].includes(form.value.format) && (
          <Select
            field="sampleFormat"
            problem="sample_format"
            label="Bit depth"
            usual="16 bit"
            options={depthsOf(form.value)}
          />
        )}
        <Text field="loudness" problem="loudness" label="Loudness, LUFS" placeholder="as made" numeric />
        {allows("temperature") && <Sampling />}
        <Select field="priority" problem="priority" label="Priority" usual="the usual one" options={PRIORITIES} />
        <Select field="stored" problem="cache" label="Stored results" usual="same seed" options={STORED} />
        <Text field="webhook" problem="webhook" label="Webhook" placeholder="https://…" wide />
        {form.value.webhook.trim() && (
          <Select field="told" problem="webhook_events" label="It is told" usual="of the end" options={TOLD} />
        )}
        <button type="button" class="quiet reset" onClick={() => change({ ...EMPTY, prompt: form.peek().prompt })}>
          Reset all settings
        </button>
      </div>
    </details>
  );
}

function Sampling() {
  return (
    <>
      <Text field="temperature" problem="temperature" label="Temperature" placeholder="1" numeric />
      <Text field="guidance" problem="cfg_coef" label="Closeness to the text" placeholder="the model's" numeric />
      <Text field="topK" problem="top_k" label="Top k" placeholder="250" numeric />
      <Text field="topP" problem="top_p" label="Top p" placeholder="off" numeric />
    </>
  );
}

const RATES = { 44100: "44.1 kHz", 48000: "48 kHz", 96000: "96 kHz" };
const PRIORITIES = { interactive: "interactive", normal: "normal", batch: "batch" };
const STORED = { yes: "any seed", no: "not used" };
const TOLD = { starts: "of start and end", all: "of every change" };
const WRONG_OPENS = [
  "outputs",
  "negative_prompt",
  "title",
  "model",
  "format",
  "sample_rate",
  "sample_format",
  "loudness",
].concat(["temperature", "cfg_coef", "top_k", "top_p", "priority", "cache", "webhook", "webhook_events"]);

function depthsOf({ format }: Form): Record<string, string> {
  return format === "flac" ? { int24: "24 bit" } : { int24: "24 bit", float32: "32 bit float" };
}

function summary(form: Form): string {
  const set = [
    form.parts && "MIDI and stems",
    form.without && `no ${form.without}`,
    form.title,
    form.model,
    form.format.toUpperCase(),
    form.sampleRate && `${Number(form.sampleRate) / 1000} kHz`,
    form.loudness && `${form.loudness} LUFS`,
    (form.temperature || form.topK || form.topP || form.guidance) && "sampling",
    form.priority,
    form.stored && `stored results: ${STORED[form.stored as keyof typeof STORED]}`,
    form.webhook && "webhook",
  ];
  return set.filter(Boolean).join(", ");
}

interface FieldProps {
  field: TextField;
  /** The field's name in the API, under which the gateway reports a problem. */
  problem: string;
  label: string;
}

function Text(props: FieldProps & { placeholder: string; numeric?: boolean; wide?: boolean; list?: string }) {
  const { field, problem, label, placeholder, numeric = false, wide = false, list } = props;
  return (
    <div class={wide ? "field wide" : "field"}>
      <label for={field}>{label}</label>
      <input
        id={field}
        class={numeric ? "numbers" : ""}
        inputMode={numeric ? "decimal" : "text"}
        placeholder={placeholder}
        list={list}
        value={form.value[field]}
        aria-invalid={problem in problems.value}
        onInput={({ currentTarget }) => change({ [field]: currentTarget.value })}
      />
      <Problem field={problem} />
    </div>
  );
}

function Select({
  field,
  problem,
  label,
  usual,
  options,
}: FieldProps & { usual: string; options: Record<string, string> }) {
  return (
    <div class="field">
      <label for={field}>{label}</label>
      <select
        id={field}
        value={form.value[field]}
        onChange={({ currentTarget }) => change({ [field]: currentTarget.value })}
      >
        <option value="">{usual}</option>
        {Object.entries(options).map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
      <Problem field={problem} />
    </div>
  );
}

/** The model as free text, because a worker for it may start later; running ones are offered. */
function Model() {
  return (
    <>
      <Text field="model" problem="model" label="Model" placeholder="the gateway's" list="models" />
      <datalist id="models">
        {models.value?.models.map(({ name }) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </>
  );
}
