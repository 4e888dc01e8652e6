"""Draws finished takes: the notes of the MIDI file above the spectrogram of the audio."""

import io
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pretty_midi
from PIL import Image, ImageDraw
from scipy.signal import resample_poly  # type: ignore[import-untyped]

from training.evaluation.pictures import COLOURS, GRID, HEIGHT, INK, MARGIN, WHITE, WIDTH, draw_spectrogram
from training.evaluation.prompt_takes import PromptTake
from worker.engine.sampler.clock import SAMPLE_RATE

# In MIDI numbers; drums lie below.
LOWEST, HIGHEST = 12, 108
SHADES = 48


def draw_take(take: PromptTake, file: Path) -> None:
    """Write a PNG with a piano roll above a spectrogram; each track of the MIDI file has a colour."""
    roll, sound = _roll(take), _spectrogram(take)
    page = Image.new("RGB", (roll.width, roll.height + sound.height - MARGIN), WHITE)
    page.paste(roll, (0, 0))
    page.paste(sound, (0, roll.height - MARGIN))
    file.parent.mkdir(parents=True, exist_ok=True)
    page.quantize(SHADES).save(file, optimize=True)


def _spectrogram(take: PromptTake) -> Image.Image:
    audio = resample_poly(take.audio.T, SAMPLE_RATE, take.rate, axis=1).astype(np.float32)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "spectrogram.png"
        draw_spectrogram(audio, "", file)
        return Image.open(file).convert("RGB")


def _roll(take: PromptTake) -> Image.Image:
    page = Image.new("RGB", (WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN), WHITE)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN // 3), take.case.prompt[:140], fill=INK)
    midi, seconds = pretty_midi.PrettyMIDI(io.BytesIO(take.midi)), len(take.audio) / take.rate
    for downbeat in midi.get_downbeats():
        left = MARGIN + WIDTH * min(downbeat / seconds, 1)
        draw.line((left, MARGIN, left, MARGIN + HEIGHT), fill=GRID)
    for track, colour in zip(midi.instruments, COLOURS * 2, strict=False):
        for note in track.notes:
            left, right = (MARGIN + WIDTH * min(at / seconds, 1) for at in (note.start, note.end))
            height = (note.pitch - 35) if track.is_drum else 56 + 200 * (note.pitch - LOWEST) // (HIGHEST - LOWEST)
            top = MARGIN + HEIGHT - min(max(height, 0), HEIGHT)
            draw.rectangle((left, top - 2, max(right - 1, left + 2), top), fill=colour)
    names = "   ".join(f"{each.stream}: {each.name}" for each in take.music.instruments)
    draw.text((MARGIN, MARGIN * 2 // 3), names[:150], fill=INK)
    return page
