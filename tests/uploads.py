"""Files for uploads, in every format."""

import io

import mido
import numpy as np
import soundfile

RATE = 16_000


def audio(name: str, seconds: float = 0.5, rate: int = RATE, channels: int = 1, **options: str) -> bytes:
    """A tone as an audio file."""
    time = np.arange(round(seconds * rate)) / rate
    samples = np.repeat(0.3 * np.sin(2 * np.pi * 440 * time)[:, None], channels, 1)
    target = io.BytesIO()
    soundfile.write(target, samples, rate, format=name.upper(), **options)
    return target.getvalue()


def midi(beats: int = 4, **options: int) -> bytes:
    """One note for each beat, at 120 BPM."""
    file = mido.MidiFile(ticks_per_beat=480, **options)
    file.tracks.append(mido.MidiTrack())
    for _ in range(beats):
        file.tracks[0] += [mido.Message("note_on", note=60, velocity=90), mido.Message("note_off", note=60, time=480)]
    target = io.BytesIO()
    file.save(file=target)
    return target.getvalue()


FILES = {name: audio(name) for name in ("wav", "flac", "ogg", "mp3")} | {"mid": midi()}
TYPES = {"wav": "audio/wav", "flac": "audio/flac", "ogg": "audio/ogg", "mp3": "audio/mpeg", "mid": "audio/midi"}
