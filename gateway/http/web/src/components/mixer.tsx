import type { JobView } from "@tellurstori/musicgen";
import { useEffect, useRef } from "preact/hooks";
import { FLAT, isHeard, LOUDEST_DB, SILENT_DB } from "../audio/mix.ts";
import { mixOf, prepareStems, type Stem, setStrip, stemsOf } from "../state/mixer.ts";
import { FileLink, filesOf } from "./file-link.tsx";
import { hueOf } from "./format.ts";
import { useStoredPeaks } from "./stored-peaks.ts";
import { useTimeline } from "./take-timeline.ts";
import { Waveform } from "./waveform.tsx";

/** The stems of a take with their waveforms: what is muted, alone or louder is heard at once, at the same place. */
export function Mixer({ job, name }: { job: JobView; name: string }) {
  useEffect(() => prepareStems(job), []);
  return (
    <div class="mixer" role="group" aria-label={`Stems of ${name}`}>
      {stemsOf(job).map((stem, index) => (
        <Row key={stem.name} job={job} stem={stem} hue={hueOf(index)} />
      ))}
    </div>
  );
}

function Row({ job, stem, hue }: { job: JobView; stem: Stem; hue: number }) {
  const { name, path } = stem;
  const mix = mixOf(job);
  const { gain, isMuted, isSolo } = mix[name] ?? FLAT;
  const place = useRef<HTMLDivElement>(null);
  const peaks = useStoredPeaks(path.replace(/\.\w+$/, ".peaks.json"), place, path);
  const timeline = useTimeline(job);
  const file = filesOf(job).find((each) => each.path === path);
  return (
    <div class={isHeard(name, mix) ? "strip" : "strip silent"} style={{ "--hue": hue }}>
      <span class="stem-name">
        <i class="dot" /> {name}
      </span>
      <span class="segments">
        <button
          type="button"
          aria-pressed={isMuted}
          aria-label={`Mute ${name}`}
          title="Mute"
          onClick={() => setStrip(job, name, { isMuted: !isMuted })}
        >
          M
        </button>
        <button
          type="button"
          aria-pressed={isSolo}
          aria-label={`Solo ${name}`}
          title="Solo"
          onClick={() => setStrip(job, name, { isSolo: !isSolo })}
        >
          S
        </button>
      </span>
      <Fader name={name} gain={gain} onChange={(value) => setStrip(job, name, { gain: value })} />
      <div ref={place} class="wave">
        <Waveform {...timeline} peaks={peaks} />
      </div>
      {file && <FileLink file={file} class="button quiet icon-button" label={`Download ${name}`} />}
    </div>
  );
}

function Fader({ name, gain, onChange }: { name: string; gain: number; onChange(gain: number): void }) {
  return (
    <label class="fader" title="Gain. A double click sets 0 dB.">
      <input
        type="range"
        min={SILENT_DB}
        max={LOUDEST_DB}
        step={0.5}
        value={gain}
        aria-label={`Gain of ${name}`}
        aria-valuetext={decibels(gain)}
        onInput={({ currentTarget }) => onChange(currentTarget.valueAsNumber)}
        onDblClick={() => onChange(0)}
      />
      <output class="numbers" aria-hidden="true">
        {decibels(gain)}
      </output>
    </label>
  );
}

function decibels(gain: number): string {
  return gain <= SILENT_DB ? "off" : `${gain > 0 ? "+" : gain < 0 ? "−" : ""}${Math.abs(gain)} dB`;
}
