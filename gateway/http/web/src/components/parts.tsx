import { useComputed, useSignal } from "@preact/signals";
import type { JobView } from "@tellurstori/musicgen";
import { isFlat } from "../audio/mix.ts";
import { mixOf, resetMix, stemsOf } from "../state/mixer.ts";
import { exportHeard, exporting } from "./export.ts";
import { Icon } from "./icons.tsx";
import { Mixer } from "./mixer.tsx";
import { PianoRoll } from "./piano-roll.tsx";

/** The stems and the score of a take that has them, folded away. */
export function Parts({ job, name }: { job: JobView; name: string }) {
  const showsStems = useSignal(false);
  const showsScore = useSignal(false);
  const isMixed = useComputed(() => !isFlat(mixOf(job))); // so that a fader of one take renders no others
  const hasStems = stemsOf(job).length > 0;
  const midi = job.audio_expired ? undefined : job.outputs.find(({ kind }) => kind === "midi");
  if (!hasStems && !midi) return null;
  return (
    <div class="parts">
      <div class="row">
        {hasStems && (
          <Fold label="Stems" isOpen={showsStems.value} onToggle={() => (showsStems.value = !showsStems.value)} />
        )}
        {midi && (
          <Fold label="Score" isOpen={showsScore.value} onToggle={() => (showsScore.value = !showsScore.value)} />
        )}
        <span class="spring" />
        {isMixed.value && (
          <button type="button" class="quiet small" onClick={() => resetMix(job)}>
            Reset the mix
          </button>
        )}
        {hasStems && showsStems.value && (
          <button
            type="button"
            class="small"
            aria-disabled={exporting.value !== null}
            title="The loop region with mutes, solos and gains, as a WAV file"
            onClick={() => exportHeard(job)}
          >
            {exporting.value === job.job_id ? "Rendering…" : "Save what is heard"}
          </button>
        )}
      </div>
      {showsStems.value && hasStems && <Mixer job={job} name={name} />}
      {showsScore.value && midi && <PianoRoll job={job} path={midi.download_url} name={name} />}
    </div>
  );
}

function Fold({ label, isOpen, onToggle }: { label: string; isOpen: boolean; onToggle(): void }) {
  return (
    <button type="button" class="quiet small fold" aria-expanded={isOpen} onClick={onToggle}>
      <Icon name="fold" /> {label}
    </button>
  );
}
