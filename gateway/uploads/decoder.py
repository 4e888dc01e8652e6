"""The process that decodes an uploaded file: `python -I -m gateway.uploads.decoder FORMAT`, with the file as its input.

It prints one `Verdict` as JSON. With `score` in place of the format it prints the `NoteScore` of a MIDI file, or exits
with the code `REFUSED` after a verdict. Before it reads a byte it gives up what it does not need: its CPU time and
memory are limited, and it can neither write to files nor start processes. The gateway checks what it prints like a
client's input.
"""

import sys
from collections.abc import Callable
from typing import Any

import msgspec

from gateway.uploads.verdict import Verdict
from shared.note_score import NoteScore
from shared.uploaded_files import MAX_UPLOAD_SECONDS

# Decoding ten minutes takes a few seconds.
CPU_SECONDS = 20
ADDRESS_SPACE = 1024 * 1024 * 1024
OPEN_FILES = 16
# Frames that are decoded at a time.
BLOCK = 65_536
LOWEST_RATE, HIGHEST_RATE, MOST_CHANNELS = 8_000, 192_000, 8
MAX_MIDI_BYTES = 4 * 1024 * 1024
# The exit code after a verdict in place of a score.
REFUSED = 3
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
    read = midi_parser()

    def decode() -> Verdict:
        file = read()
        try:
            seconds = float(file.length)
        # mido raises errors of many kinds for damaged files.
        except Exception as error:
            raise _invalid_midi(error) from error
        if not any(message.type == "note_on" for track in file.tracks for message in track):
            raise RefusedError("It has no notes.")
        if seconds > MAX_UPLOAD_SECONDS:
            raise RefusedError(f"It is longer than {MAX_UPLOAD_SECONDS / 60:g} minutes. Upload a part of it.")
        return Verdict(duration=seconds)

    return decode


def score_decoder() -> Callable[[], NoteScore]:
    """Import mido; the result reads the score in standard input."""
    from gateway.uploads.midi_reader import UnreadableMidiError, read_midi

    read = midi_parser()

    def decode() -> NoteScore:
        file = read()
        try:
            return read_midi(file)
        except UnreadableMidiError as error:
            raise RefusedError(str(error)) from error

    return decode


def midi_parser() -> Callable[[], Any]:
    """Import mido; the result parses standard input."""
    import mido

    def parse() -> Any:
        source = open(0, "rb", closefd=False)  # noqa: SIM115
        if source.seek(0, 2) > MAX_MIDI_BYTES:
            raise RefusedError(f"It is larger than {MAX_MIDI_BYTES // 2**20} MiB, which no MIDI file needs.")
        source.seek(0)
        try:
            return mido.MidiFile(file=source, clip=True)
        except Exception as error:
            raise _invalid_midi(error) from error

    return parse


def _invalid_midi(error: Exception) -> RefusedError:
    return RefusedError(f"It is no valid MIDI file: {error or type(error).__name__}.")


def main(name: str) -> int:
    """Decode standard input as this format and print the verdict, or the score; returns the exit code."""
    decode: Callable[[], Verdict | NoteScore]
    match name:
        case "score":
            decode = score_decoder()
        case "mid":
            decode = midi_decoder()
        case _:
            decode = audio_decoder(name)
    restrict()
    try:
        found = decode()
    except RefusedError as error:
        found = Verdict(refusal=str(error)[:300])
    except MemoryError:
        found = Verdict(refusal="It needs too much memory to be decoded.")
    sys.stdout.buffer.write(msgspec.json.encode(found))
    return REFUSED if name == "score" and isinstance(found, Verdict) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
