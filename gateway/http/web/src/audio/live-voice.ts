import type { AudioFrame } from "@tellurstori/musicgen";
import type { LiveAudio } from "./live.ts";

/** Seconds that a chunk waits before it sounds, so that a late one does not tear the music. */
const LEAD = 0.15;

/** Plays live audio chunk after chunk, from `offset` seconds on. A late chunk delays the music; nothing is left out. */
export class LiveVoice {
  /** The own context has the rate of the model, so that the chunks meet without a seam. */
  readonly context: AudioContext;
  private readonly level: GainNode;
  /** When the music would have started at 0, in the context's time. */
  private origin: number | null = null;
  private scheduledUntil: number;
  private restarted = false;

  constructor(
    private readonly live: LiveAudio,
    private readonly offset: number,
    volume: number,
  ) {
    this.context = new AudioContext({ sampleRate: live.sampleRate });
    this.level = new GainNode(this.context, { gain: volume });
    this.level.connect(this.context.destination);
    this.scheduledUntil = offset;
    for (const frame of live.frames) this.schedule(frame);
    live.onFrame = (frame) => (frame ? this.schedule(frame) : this.restart());
  }

  /** Where in the music it is, in seconds. */
  get position(): number {
    if (this.origin === null) return this.restarted ? 0 : this.offset;
    const position = this.context.currentTime - this.origin;
    return Math.min(Math.max(position, this.restarted ? 0 : this.offset), this.scheduledUntil);
  }

  get hasEnded(): boolean {
    return this.live.isComplete && this.position >= this.scheduledUntil;
  }

  setVolume(volume: number): void {
    this.level.gain.value = volume;
  }

  stop(): void {
    this.live.onFrame = null;
    void this.context.close();
  }

  private schedule({ header, channels }: AudioFrame): void {
    const start = header.first_sample / header.sample_rate;
    const end = start + header.frames / header.sample_rate;
    if (header.frames === 0 || end <= this.scheduledUntil) return;
    const soonest = this.context.currentTime + 0.005;
    if (this.origin === null) this.origin = this.context.currentTime + LEAD - Math.max(start, this.scheduledUntil);
    else if (this.origin + start < soonest && start >= this.scheduledUntil) {
      this.origin = this.context.currentTime + LEAD - start;
    }
    const buffer = new AudioBuffer({
      length: header.frames,
      numberOfChannels: channels.length,
      sampleRate: header.sample_rate,
    });
    for (const [channel, samples] of channels.entries()) buffer.copyToChannel(samples, channel);
    const source = new AudioBufferSourceNode(this.context, { buffer });
    source.connect(this.level);
    const skipped = Math.max(0, this.scheduledUntil - start);
    source.start(this.origin + start + skipped, skipped);
    this.scheduledUntil = end;
  }

  private restart(): void {
    this.origin = null;
    this.restarted = true;
    this.scheduledUntil = 0;
  }
}
