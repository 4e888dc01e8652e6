import type { WaveformPeaks } from "@tellurstori/musicgen";

/** The outline of audio: the lowest and highest sample of each of its pixels, from -1 to 1. */
export interface Peaks {
  lows: Float32Array;
  highs: Float32Array;
  /** Seconds that all pixels together last. */
  duration: number;
}

/** Converts the peaks that the gateway stores. Channels are merged. */
export function storedPeaks(stored: WaveformPeaks): Peaks {
  const { channels, length, data } = stored;
  const scale = 2 ** (stored.bits - 1);
  const peaks = emptyPeaks(length, (length * stored.samples_per_pixel) / stored.sample_rate);
  for (let pixel = 0; pixel < length; pixel++) {
    for (let channel = 0; channel < channels; channel++) {
      const place = 2 * (pixel * channels + channel);
      widen(peaks, pixel, (data[place] ?? 0) / scale, (data[place + 1] ?? 0) / scale);
    }
  }
  return peaks;
}

/** The peaks of audio that is still being made: they cover `total` seconds, and what is not there yet is silent. */
export class GrowingPeaks {
  readonly peaks: Peaks;

  constructor(
    private readonly total: number,
    pixels = 1024,
  ) {
    this.peaks = emptyPeaks(pixels, total);
  }

  /** Adds samples of one channel that start `start` seconds into the music. */
  add(samples: Float32Array, start: number, sampleRate: number): void {
    const pixels = this.peaks.lows.length;
    const perSecond = pixels / this.total;
    for (let index = 0; index < samples.length; index++) {
      const pixel = Math.floor((start + index / sampleRate) * perSecond);
      if (pixel < pixels) widen(this.peaks, pixel, samples[index] ?? 0, samples[index] ?? 0);
    }
  }
}

/** Reduces or repeats pixels so that there are `columns` of them. Each value is the louder side, from 0 to 1. */
export function columnsOf(peaks: Peaks, columns: number): Float32Array {
  const heights = new Float32Array(columns);
  const pixels = peaks.lows.length;
  for (let column = 0; column < columns; column++) {
    const first = Math.floor((column * pixels) / columns);
    const end = Math.max(first + 1, Math.floor(((column + 1) * pixels) / columns));
    let highest = 0;
    for (let pixel = first; pixel < end; pixel++) {
      highest = Math.max(highest, -(peaks.lows[pixel] ?? 0), peaks.highs[pixel] ?? 0);
    }
    heights[column] = highest;
  }
  return heights;
}

function emptyPeaks(pixels: number, duration: number): Peaks {
  return { lows: new Float32Array(pixels), highs: new Float32Array(pixels), duration };
}

function widen(peaks: Peaks, pixel: number, low: number, high: number): void {
  peaks.lows[pixel] = Math.min(peaks.lows[pixel] ?? 0, low);
  peaks.highs[pixel] = Math.max(peaks.highs[pixel] ?? 0, high);
}
