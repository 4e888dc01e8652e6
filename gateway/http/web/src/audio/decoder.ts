/** Seconds of decoded audio that are kept: 48 kHz stereo takes 0.4 MB a second. */
export const KEPT_SECONDS = 400;

/** Fetches and decodes files, and keeps those that were used last. */
export class Decoder {
  private readonly kept = new Map<string, Promise<AudioBuffer>>();
  private readonly lengths = new Map<string, number>();

  constructor(
    private readonly fetchFile: (path: string) => Promise<Response>,
    private readonly context: () => BaseAudioContext,
  ) {}

  /** The decoded file. Calls at the same time share one download. */
  decode(path: string): Promise<AudioBuffer> {
    const known = this.kept.get(path);
    const found = known ?? this.load(path);
    this.kept.delete(path);
    this.kept.set(path, found); // the youngest is last
    return found;
  }

  private async load(path: string): Promise<AudioBuffer> {
    try {
      const response = await this.fetchFile(path);
      const buffer = await this.context().decodeAudioData(await response.arrayBuffer());
      this.lengths.set(path, buffer.duration);
      this.forgetOldest(path);
      return buffer;
    } catch (error) {
      this.kept.delete(path); // so that the next call tries again
      throw error;
    }
  }

  private forgetOldest(latest: string): void {
    let total = 0;
    for (const path of [...this.kept.keys()].reverse()) {
      total += this.lengths.get(path) ?? 0;
      if (total <= KEPT_SECONDS || path === latest) continue;
      this.kept.delete(path);
      this.lengths.delete(path);
    }
  }
}
