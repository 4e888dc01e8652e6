import { type Signal, useSignal } from "@preact/signals";
import type { WaveformPeaks } from "@tellurstori/musicgen";
import type { RefObject } from "preact";
import { useEffect } from "preact/hooks";
import { client } from "../api/gateway.ts";
import { GrowingPeaks, type Peaks, storedPeaks } from "../audio/peaks.ts";
import { player } from "../state/listening.ts";
import { whenBack } from "../state/retry.ts";

/** Pixels above and below the window in which waveforms are fetched already. */
const MARGIN = "400px";

/**
 * The stored peaks of an audio file, fetched when its waveform comes near the window. Null until then, or if there are
 * none and no `audio` to be decoded for them.
 */
export function useStoredPeaks(
  path: string | null,
  place: RefObject<HTMLElement | null>,
  audio?: string,
): Signal<Peaks | null> {
  const peaks = useSignal<Peaks | null>(null);
  useEffect(() => {
    if (!path || !place.current) return;
    const stop = new AbortController();
    const nearness = new IntersectionObserver(
      async ([entry]) => {
        if (!entry?.isIntersecting) return;
        nearness.disconnect();
        peaks.value =
          (await fetchPeaks(path, stop.signal)) ?? (audio && !stop.signal.aborted ? await decodedPeaks(audio) : null);
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
  for (const each of [path.replace(".peaks.json", ".overview.json"), path]) {
    try {
      const response = await whenBack(() => client.file(each, signal), signal);
      return storedPeaks((await response.json()) as WaveformPeaks);
    } catch {
      if (signal.aborted) return null;
    }
  }
  return null;
}

/** The peaks of a file that has none in the store. Null if it cannot be decoded: its waveform stays empty. */
async function decodedPeaks(audio: string): Promise<Peaks | null> {
  const buffer = await player.decode(audio).catch(() => null); // told when it is played
  if (!buffer) return null;
  const growing = new GrowingPeaks(buffer.duration);
  for (let channel = 0; channel < buffer.numberOfChannels; channel++)
    growing.add(buffer.getChannelData(channel), 0, buffer.sampleRate);
  return growing.peaks;
}
