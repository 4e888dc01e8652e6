const RATE = 8000;

/** Ten seconds of silence as a WAV file. Browsers count shorter files as sounds of the page, not as music. */
export function silentFile(): Blob {
  const samples = new Uint8Array(10 * RATE).fill(128);
  const header = new DataView(new ArrayBuffer(44));
  const write = (at: number, text: string) => {
    for (let index = 0; index < text.length; index++) header.setUint8(at + index, text.charCodeAt(index));
  };
  write(0, "RIFF");
  header.setUint32(4, 36 + samples.length, true);
  write(8, "WAVEfmt ");
  header.setUint32(16, 16, true); // the length of this part
  header.setUint16(20, 1, true); // PCM
  header.setUint16(22, 1, true); // mono
  header.setUint32(24, RATE, true);
  header.setUint32(28, RATE, true); // bytes a second
  header.setUint16(32, 1, true); // bytes a frame
  header.setUint16(34, 8, true); // bits a sample
  write(36, "data");
  header.setUint32(40, samples.length, true);
  return new Blob([header, samples], { type: "audio/wav" });
}
