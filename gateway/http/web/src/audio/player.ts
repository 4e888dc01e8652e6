import { computed, effect, signal } from "@preact/signals";
import { Decoder } from "./decoder.ts";
import type { LiveAudio } from "./live.ts";
import { LiveVoice } from "./live-voice.ts";
import { FADE, matchingGain, positionAt, type Region, type Schedule, startVoice, startWithin } from "./schedule.ts";

/** Music to play: a finished file, or audio that is still being made. */
export interface Track {
  jobId: string;
  /** The path of the file, or null while it is being made. */
  path: string | null;
  live: LiveAudio | null;
  /** In seconds. */
  duration: number;
  /** Integrated loudness, if it was measured. */
  lufs: number | null;
  /** Whether the music was made to repeat. */
  isLoop: boolean;
}

export type PlayerState = "empty" | "loading" | "playing" | "paused";

/** A file that sounds together with others, and its factor. */
export interface Part {
  path: string;
  factor: number;
}

interface Sound {
  path: string;
  source: AudioBufferSourceNode;
  /** Fades at jumps. */
  level: GainNode;
  /** Holds the factor of the part. */
  strip: GainNode;
}

/** The parts of a track that sound: all of them have the same schedule, so they stay together to the sample. */
interface Voice {
  schedule: Schedule;
  sounds: Sound[];
}

/** The one player of the page. The clock of the AudioContext tells the position. */
export class Player {
  readonly track = signal<Track | null>(null);
  readonly state = signal<PlayerState>("empty");
  /** Seconds; follows the audio while it plays. */
  readonly position = signal(0);
  readonly loop = signal<Region | null>(null);
  readonly volume = signal(1);
  readonly isMatching = signal(true);
  /** The two tracks that A and B switch between. */
  readonly slots = signal<{ a: Track | null; b: Track | null }>({ a: null, b: null });
  readonly problem = signal<{ jobId: string; error: unknown } | null>(null);
  readonly currentId = computed(() => this.track.value?.jobId ?? null);
  readonly isPlaying = computed(() => this.state.value === "playing" || this.state.value === "loading");

  private context: AudioContext | null = null;
  private output: GainNode | null = null;
  private voice: Voice | null = null;
  private liveVoice: LiveVoice | null = null;
  private latestRequest = 0;
  /** What is played in place of the file of a track, by job. */
  private readonly mixes = new Map<string, Part[]>();
  private readonly decoder: Decoder;

  constructor(fetchFile: (path: string) => Promise<Response>) {
    this.decoder = new Decoder(fetchFile, () => this.openContext());
    effect(() => this.applyLevels());
    effect(() => {
      if (this.state.value === "playing") requestAnimationFrame(this.followClock);
    });
  }

  /** Plays a track from `at` seconds; without it, continues where this track is, or starts it. */
  async play(track: Track, at?: number): Promise<void> {
    const isSame = this.currentId.peek() === track.jobId;
    const start = at ?? (isSame ? this.position.peek() : 0);
    if (!isSame) this.select(track);
    else this.track.value = track;
    await this.start(start);
  }

  /** Replaces what is known of the current track, such as its file once it is made. What sounds goes on. */
  update(track: Track): void {
    if (track.jobId !== this.currentId.peek()) return;
    const { a, b } = this.slots.peek();
    const renewed = (slot: Track | null) => (slot?.jobId === track.jobId ? track : slot);
    this.slots.value = { a: renewed(a), b: renewed(b) };
    this.track.value = track;
    if (track.isLoop) this.loop.value ??= { start: 0, end: track.duration };
    // Ahead of the end of the live audio, so that a loop goes on without a wait; a failure shows when it is played.
    if (track.path) this.decoder.decode(track.path).catch(() => {});
  }

  /** Plays these files together in place of a track's own; null restores it. The music continues at the same place. */
  mix(jobId: string, parts: Part[] | null): void {
    if (parts) this.mixes.set(jobId, parts);
    else this.mixes.delete(jobId);
    const track = this.track.peek();
    if (track?.jobId !== jobId || !track.path || !this.isPlaying.peek()) return;
    const wanted = this.partsOf(track.path, jobId);
    if (this.voice && wanted.every(({ path }, index) => this.voice?.sounds[index]?.path === path)) {
      const now = this.openContext().currentTime;
      for (const [index, { strip }] of this.voice.sounds.entries())
        strip.gain.setTargetAtTime(wanted[index]!.factor, now, FADE / 3);
    } else void this.start(null);
  }

  /** The decoded samples of a file, at the rate of the player. */
  decode(path: string): Promise<AudioBuffer> {
    return this.decoder.decode(path);
  }

  /** Plays or pauses the current track. */
  async toggle(): Promise<void> {
    if (this.isPlaying.peek()) this.pause();
    else if (this.track.peek()) await this.start(this.position.peek());
  }

  pause(): void {
    this.latestRequest++;
    this.position.value = this.currentPosition();
    this.silence();
    this.state.value = this.track.peek() ? "paused" : "empty";
  }

  /** Stops, and forgets the current track. */
  clear(): void {
    this.pause();
    this.track.value = null;
    this.state.value = "empty";
  }

  async seek(seconds: number): Promise<void> {
    const track = this.track.peek();
    if (!track) return;
    const position = Math.min(Math.max(0, seconds), track.duration);
    this.position.value = position;
    if (this.isPlaying.peek()) await this.start(position);
  }

  /** Repeats a region, or plays to the end with null. The music continues at the same place. */
  async setLoop(region: Region | null): Promise<void> {
    const position = this.currentPosition();
    this.loop.value = region;
    if (this.isPlaying.peek()) await this.start(position);
    else this.position.value = startWithin(position, region, this.track.peek()?.duration ?? 0);
  }

  /** Switches to the track in a slot, at the same place in the music. */
  async listenTo(slot: "a" | "b"): Promise<void> {
    const track = this.slots.peek()[slot];
    if (!track || track.jobId === this.currentId.peek()) return;
    const position = this.currentPosition();
    const region = this.loop.peek();
    this.track.value = track;
    this.loop.value = region && region.end <= track.duration ? region : null;
    await this.start(position % track.duration);
  }

  /** Makes another track current. The one before becomes the other side of the comparison. */
  private select(track: Track): void {
    const before = this.track.peek();
    this.silence();
    const { a } = this.slots.peek();
    const other = before && before.jobId !== track.jobId ? before : a;
    this.slots.value = other && other.jobId !== track.jobId ? { a: other, b: track } : { a: track, b: null };
    this.track.value = track;
    this.loop.value = track.isLoop && track.path ? { start: 0, end: track.duration } : null;
    this.problem.value = null;
  }

  /** Starts at `offset` seconds, or with null where the music is by the time that its files are here. */
  private async start(offset: number | null): Promise<void> {
    const track = this.track.peek();
    if (!track) return;
    const request = ++this.latestRequest;
    if (track.path === null) {
      this.startLive(track, offset ?? this.currentPosition());
      return;
    }
    try {
      const context = this.openContext();
      if (!this.voice) this.state.value = "loading";
      void context.resume();
      const parts = this.partsOf(track.path, track.jobId);
      const buffers = await Promise.all(parts.map(({ path }) => this.decoder.decode(path)));
      if (request === this.latestRequest) this.startFiles(context, buffers, offset ?? this.currentPosition());
    } catch (error) {
      if (request !== this.latestRequest) return;
      this.silence();
      this.state.value = "paused";
      this.problem.value = { jobId: track.jobId, error };
    }
  }

  private partsOf(path: string, jobId: string): Part[] {
    return this.mixes.get(jobId) ?? [{ path, factor: 1 }];
  }

  private startFiles(context: AudioContext, buffers: AudioBuffer[], offset: number): void {
    const { path, jobId } = this.track.peek()!;
    const { duration } = buffers[0]!;
    const whole = this.loop.peek();
    const loop = whole && { start: whole.start, end: Math.min(whole.end, duration) };
    const start = startWithin(offset, loop, duration);
    const schedule = { startedAt: context.currentTime + FADE, offset: start, loop, duration };
    this.silence();
    const sounds = this.partsOf(path!, jobId).map((part, index) => {
      const strip = new GainNode(context, { gain: part.factor });
      strip.connect(this.output!);
      return { path: part.path, strip, ...startVoice(context, buffers[index]!, schedule, strip) };
    });
    const voice = { schedule, sounds };
    sounds[0]!.source.onended = () => this.ended(voice);
    this.voice = voice;
    this.state.value = "playing";
    this.applyLevels();
  }

  private startLive(track: Track, offset: number): void {
    this.silence();
    if (!track.live || track.live.frames.length === 0) {
      this.state.value = "paused";
      return;
    }
    this.liveVoice = new LiveVoice(track.live, offset, this.volume.peek());
    this.state.value = "playing";
  }

  private ended(voice: Voice): void {
    if (this.voice !== voice) return;
    this.voice = null;
    this.position.value = 0;
    this.state.value = "paused";
  }

  /** The live audio has been heard to its end: a loop goes on as soon as its file is there, anything else stops. */
  private endLive(): void {
    const track = this.track.peek();
    if (track?.isLoop && track.path === null) {
      requestAnimationFrame(this.followClock);
      return;
    }
    this.pause();
    this.position.value = this.loop.peek()?.start ?? 0;
    if (this.loop.peek() && track?.path) void this.start(this.position.peek());
  }

  /** Stops what sounds, with a short fade. */
  private silence(): void {
    this.liveVoice?.stop();
    this.liveVoice = null;
    if (!this.voice || !this.context) return;
    const { sounds } = this.voice;
    this.voice = null;
    const now = this.context.currentTime;
    for (const { source, level } of sounds) {
      level.gain.setTargetAtTime(0, now, FADE / 3);
      source.stop(now + 2 * FADE);
    }
  }

  private currentPosition(): number {
    if (this.liveVoice) return this.liveVoice.position;
    return this.voice && this.context
      ? positionAt(this.voice.schedule, this.context.currentTime)
      : this.position.peek();
  }

  private readonly followClock = (): void => {
    if (this.state.peek() !== "playing") return;
    this.position.value = this.currentPosition();
    if (this.liveVoice?.hasEnded) this.endLive();
    else requestAnimationFrame(this.followClock);
  };

  /** Sets the volume. Two tracks that are compared sound equally loud: the louder one is lowered. */
  private applyLevels(): void {
    const volume = this.volume.value;
    const { a, b } = this.slots.value;
    const track = this.track.value;
    const reference = a?.lufs != null && b?.lufs != null ? Math.min(a.lufs, b.lufs) : null;
    const match = this.isMatching.value ? matchingGain(track?.lufs, reference) : 1;
    this.liveVoice?.setVolume(volume);
    if (this.output) this.output.gain.value = volume * match;
  }

  private openContext(): AudioContext {
    if (this.context) return this.context;
    this.context = new AudioContext({ latencyHint: "interactive" });
    this.output = new GainNode(this.context);
    this.output.connect(this.context.destination);
    return this.context;
  }
}
