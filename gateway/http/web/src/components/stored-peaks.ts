import { type Signal, useSignal } from "@preact/signals";
import type { JobView, WaveformPeaks } from "@tellurstori/musicgen";
import type { RefObject } from "preact";
import { useEffect } from "preact/hooks";
import { client } from "../api/gateway.ts";
import { type Peaks, storedPeaks } from "../audio/peaks.ts";
import { whenBack } from "../state/retry.ts";

/** Pixels above and below the window in which waveforms are fetched already. */
const MARGIN = "400px";

/** The stored peaks of a job, fetched when its card comes near the window. Null until then, or if there are none. */
export function useStoredPeaks(job: JobView, place: RefObject<HTMLElement | null>): Signal<Peaks | null> {
  const peaks = useSignal<Peaks | null>(null);
  const path = job.audio_expired ? null : job.peaks_url;
  useEffect(() => {
    if (!path || !place.current) return;
    const stop = new AbortController();
    const nearness = new IntersectionObserver(
      async ([entry]) => {
        if (!entry?.isIntersecting) return;
        nearness.disconnect();
        peaks.value = await fetchPeaks(path, stop.signal);
      },
      { rootMargin: MARGIN },
    );
    nearness.observe(place.current);
    return () => {
      nearness.disconnect();
      stop.abort();
    };
  }, [path]);
  return peaks;
}

/** The overview has at most 1024 pixels, which are enough for a card; older jobs have the full peaks only. */
async function fetchPeaks(path: string, signal: AbortSignal): Promise<Peaks | null> {
  for (const each of [path.replace("audio.peaks.json", "audio.overview.json"), path]) {
    try {
      const response = await whenBack(() => client.file(each, signal), signal);
      return storedPeaks((await response.json()) as WaveformPeaks);
    } catch {
      if (signal.aborted) return null;
    }
  }
  return null;
}
