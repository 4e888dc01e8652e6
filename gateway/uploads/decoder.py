"""The process that decodes an uploaded file: `python -I -m gateway.uploads.decoder FORMAT`, with the file as its input.

It prints one `Verdict` as JSON. Before it reads a byte it gives up what it does not need: its CPU time and memory are
limited, and it can neither write to files nor start processes. The gateway checks the verdict like a client's input.
"""

import sys
from collections.abc import Callable
from typing import Any

import msgspec

from gateway.uploads.verdict import Verdict
from shared.uploaded_files import MAX_UPLOAD_SECONDS

# Decoding ten minutes takes a few seconds.
CPU_SECONDS = 20
ADDRESS_SPACE = 1024 * 1024 * 1024
OPEN_FILES = 16
# Frames that are decoded at a time.
BLOCK = 65_536
LOWEST_RATE, HIGHEST_RATE, MOST_CHANNELS = 8_000, 192_000, 8
MAX_MIDI_BYTES = 4 * 1024 * 1024
# What libsndfile calls the formats.
FORMATS = {"wav": ("WAV", "WAVEX", "RF64"), "flac": ("FLAC",), "ogg": ("OGG",), "mp3": ("MP3", "MPEG")}


class RefusedError(Exception):
    """The file is not usable; the message tells the client why."""


def restrict() -> None:
    """Limit this process for good. Where a system lacks a limit, the others hold."""
    import resource

    limits = {
        "RLIMIT_CPU": CPU_SECONDS,
        "RLIMIT_AS": ADDRESS_SPACE,
        "RLIMIT_NOFILE": OPEN_FILES,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_NPROC": 0,
        "RLIMIT_CORE": 0,
    }
    for name, most in limits.items():
        number = getattr(resource, name, None)
        if number is not None:
            resource.setrlimit(number, (most, most))


def audio_decoder(name: str) -> Callable[[], Verdict]:
    """Import libsndfile; the result decodes standard input."""
    import soundfile

    def decode() -> Verdict:
        try:
            with soundfile.SoundFile(0, closefd=False) as file:
                return _decode_all(file, name)
        except soundfile.LibsndfileError as error:
            reason = error.error_string.removeprefix("Error : ")
            raise RefusedError(f"It is no valid {name} file, or it is cut off: {reason}") from error

    return decode


def _decode_all(file: Any, name: str) -> Verdict:
    """Decode the whole file: headers may lie, and a small file may hold hours."""
    rate, channels, declared = file.samplerate, file.channels, file.frames
    if file.format not in FORMATS[name]:
        raise RefusedError(f"It begins like a {name} file but is none.")
    if not (LOWEST_RATE <= rate <= HIGHEST_RATE and 1 <= channels <= MOST_CHANNELS):
        raise RefusedError(
            f"It has {channels} channels at {rate} Hz; up to {MOST_CHANNELS} channels and {LOWEST_RATE} to "
            f"{HIGHEST_RATE} Hz are possible. Convert it."
        )
    frames, most = 0, int(MAX_UPLOAD_SECONDS * rate)
    while block := len(file.read(BLOCK, dtype="int16")):
        frames += block
        if frames > most:
            raise RefusedError(f"It is longer than {MAX_UPLOAD_SECONDS / 60:g} minutes. Upload a part of it.")
    if frames == 0:
        raise RefusedError("It has no audio.")
    if name == "flac" and frames < declared:
        raise RefusedError(f"It is cut off or damaged after {frames / rate:.1f} seconds. Upload it again.")
    return Verdict(duration=frames / rate, sample_rate=rate, channels=channels)


def midi_decoder() -> Callable[[], Verdict]:
    """Import mido; the result decodes standard input."""
    import mido

    def decode() -> Verdict:
        source = open(0, "rb", closefd=False)  # noqa: SIM115
        if source.seek(0, 2) > MAX_MIDI_BYTES:
            raise RefusedError(f"It is larger than {MAX_MIDI_BYTES // 2**20} MiB, which no MIDI file needs.")
        source.seek(0)
        try:
            file = mido.MidiFile(file=source, clip=True)
            seconds = float(file.length)
        # mido raises errors of many kinds for damaged files.
        except Exception as error:
            raise RefusedError(f"It is no valid MIDI file: {error or type(error).__name__}.") from error
        if not any(message.type == "note_on" for track in file.tracks for message in track):
            raise RefusedError("It has no notes.")
        if seconds > MAX_UPLOAD_SECONDS:
            raise RefusedError(f"It is longer than {MAX_UPLOAD_SECONDS / 60:g} minutes. Upload a part of it.")
        return Verdict(duration=seconds)

    return decode


def main(name: str) -> None:
    """Decode standard input as this format and print the verdict."""
    decode = midi_decoder() if name == "mid" else audio_decoder(name)
    restrict()
    try:
        verdict = decode()
    except RefusedError as error:
        verdict = Verdict(refusal=str(error)[:300])
    except MemoryError:
        verdict = Verdict(refusal="It needs too much memory to be decoded.")
    sys.stdout.buffer.write(msgspec.json.encode(verdict))


if __name__ == "__main__":
    main(sys.argv[1])
