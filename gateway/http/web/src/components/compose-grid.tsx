import { useRef } from "preact/hooks";
import { MAX_DURATION } from "../api/gateway.ts";
import {
  allows,
  change,
  form,
  type LengthUnit,
  problems,
  type Repeats,
  reading,
  rollSeed,
  tempo,
} from "../state/form.ts";
import { Icon } from "./icons.tsx";
import { Problem } from "./problem.tsx";
import { TapTempo } from "./tap-tempo.ts";

const KEYS = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"].flatMap((note) => [
  `${note} minor`,
  `${note} major`,
]);
const METERS = ["4/4", "3/4", "5/4", "6/8", "7/8", "12/8"];

/** Length, tempo, key, meter, loop and seed, as far as they matter. What is left empty follows the description. */
export function ComposeGrid() {
  return (
    <div class="grid">
      {allows("duration") && <Length />}
      {allows("bpm") && <Tempo />}
      {allows("key") && <Choice field="key" label="Key" values={KEYS} read={reading.value?.components.key} />}
      {allows("meter") && <Choice field="meter" label="Meter" values={METERS} read={reading.value?.components.meter} />}
      {allows("loop") && <Loop />}
      {allows("seed") && <Seed />}
    </div>
  );
}

const UNITS: [LengthUnit, string][] = [
  ["text", "From the text"],
  ["bars", "Bars"],
  ["seconds", "Seconds"],
];

function Length() {
  const units = UNITS.filter(([unit]) => unit !== "bars" || allows("bars"));
  const [lengthUnit] = units.find(([unit]) => unit === form.value.lengthUnit) ?? UNITS[0]!;
  return (
    <fieldset class="length">
      <legend>Length</legend>
      <div class="segments">
        {units.map(([unit, label]) => (
          <label key={unit}>
            <input
              type="radio"
              name="unit"
              checked={lengthUnit === unit}
              onChange={() => change({ lengthUnit: unit })}
            />
            <span>{label}</span>
          </label>
        ))}
      </div>
      {lengthUnit === "text" && <span class="dim fact numbers">{describedLength()}</span>}
      {lengthUnit === "bars" && <Amount field="bars" label="Bars" max={128} presets={["2", "4", "8", "16"]} />}
      {lengthUnit === "seconds" && (
        <Amount field="seconds" label="Seconds" max={MAX_DURATION} presets={["5", "10", "30"]} />
      )}
      <Problem field={lengthUnit === "bars" ? "bars" : "duration"} />
    </fieldset>
  );
}

/** The length that the description states, or what the gateway takes without one. */
function describedLength(): string {
  const { bars } = (allows("bars") && reading.value?.components) || {};
  const seconds = reading.value?.duration;
  if (bars) return `${bars} ${bars === 1 ? "bar" : "bars"}`;
  return `${seconds ?? Math.min(30, MAX_DURATION)} seconds`;
}

interface AmountProps {
  field: "bars" | "seconds";
  label: string;
  max: number;
  presets: string[];
}

function Amount({ field, label, max, presets }: AmountProps) {
  return (
    <span class="amount">
      <input
        type="number"
        class="numbers"
        aria-label={label}
        min={field === "bars" ? 1 : 0.5}
        step={field === "bars" ? 1 : 0.5}
        max={max}
        value={form.value[field]}
        aria-invalid={(field === "bars" ? "bars" : "duration") in problems.value}
        onInput={({ currentTarget }) => change({ [field]: currentTarget.value })}
      />
      {presets.map((value) => (
        <button
          key={value}
          type="button"
          class="quiet small numbers"
          aria-pressed={form.value[field] === value}
          aria-label={`${value} ${label.toLowerCase()}`}
          onClick={() => change({ [field]: value })}
        >
          {value}
        </button>
      ))}
    </span>
  );
}

function Tempo() {
  const taps = useRef(new TapTempo());
  const { bpm } = form.value;
  const scale = (factor: number) => {
    const scaled = (tempo.peek() ?? 0) * factor;
    if (scaled >= 40 && scaled <= 240) change({ bpm: String(Math.round(scaled * 100) / 100) });
  };
  const tap = () => {
    const found = taps.current.tap(performance.now());
    if (found) change({ bpm: String(found) });
  };
  return (
    <div class="field tempo">
      <label for="bpm">BPM</label>
      <div class="joined">
        <input
          id="bpm"
          type="number"
          class="numbers"
          min={40}
          max={240}
          step="any"
          placeholder={reading.value?.components.bpm?.toString() ?? "any"}
          value={bpm}
          aria-invalid={"bpm" in problems.value}
          onInput={({ currentTarget }) => change({ bpm: currentTarget.value })}
        />
        <button type="button" class="small" title="Tap the beat" onClick={tap}>
          Tap
        </button>
        <button
          type="button"
          class="small"
          aria-label="½ half tempo"
          aria-disabled={!tempo.value}
          onClick={() => scale(0.5)}
        >
          ½
        </button>
        <button
          type="button"
          class="small"
          aria-label="×2 double tempo"
          aria-disabled={!tempo.value}
          onClick={() => scale(2)}
        >
          ×2
        </button>
      </div>
      <Problem field="bpm" />
    </div>
  );
}

/** Whether the end continues at the start: as the description says, or stated here against it. */
function Loop() {
  const read = allows("prompt") && reading.value?.components.loop ? "yes" : "no";
  return (
    <div class="field">
      <label for="loop">Loop</label>
      <select
        id="loop"
        value={form.value.repeats}
        aria-invalid={"loop" in problems.value}
        onChange={({ currentTarget }) => change({ repeats: currentTarget.value as Repeats })}
      >
        <option value="">{allows("prompt") ? `text: ${read}` : "no"}</option>
        <option value="yes">yes</option>
        <option value="no">no</option>
      </select>
      <Problem field="loop" />
    </div>
  );
}

interface ChoiceProps {
  field: "key" | "meter";
  label: string;
  values: string[];
  read: string | null | undefined;
}

function Choice({ field, label, values, read }: ChoiceProps) {
  const chosen = form.value[field];
  const all = chosen && !values.includes(chosen) ? [chosen, ...values] : values;
  return (
    <div class="field">
      <label for={field}>{label}</label>
      <select
        id={field}
        value={chosen}
        aria-invalid={field in problems.value}
        onChange={({ currentTarget }) => change({ [field]: currentTarget.value })}
      >
        <option value="">{read ?? "any"}</option>
        {all.map((value) => (
          <option key={value} value={value}>
            {value}
          </option>
        ))}
      </select>
      <Problem field={field} />
    </div>
  );
}

/** Random, unless it is locked: then every take is made of the same seed. */
function Seed() {
  const { seed, isSeedLocked } = form.value;
  return (
    <div class="field seed-field">
      <label for="seed">Seed</label>
      <div class="joined">
        <input
          id="seed"
          class="numbers"
          inputMode="numeric"
          placeholder="random"
          value={seed}
          aria-invalid={"seed" in problems.value}
          onInput={({ currentTarget }) =>
            change({ seed: currentTarget.value, isSeedLocked: currentTarget.value !== "" })
          }
        />
        <button
          type="button"
          class="small icon-button"
          aria-label="Roll a seed"
          title="Roll a seed"
          onClick={() => change({ seed: String(rollSeed()) })}
        >
          <Icon name="dice" />
        </button>
        <button
          type="button"
          class="small icon-button"
          aria-label="Keep the seed"
          title="Keep the seed for the next takes"
          aria-pressed={isSeedLocked}
          onClick={() => change({ isSeedLocked: !isSeedLocked, seed: seed || String(rollSeed()) })}
        >
          <Icon name={isSeedLocked ? "lock" : "open"} />
        </button>
      </div>
      <Problem field="seed" />
    </div>
  );
}
