"""Draws images: spectrograms, the losses of a run, and piano rolls."""

import csv
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from training.evaluation.performance import Floats
from worker.engine.sampler.clock import SAMPLE_RATE
from worker.engine.sampler.instruments import PIECES, Stream
from worker.engine.sampler.patches import patch_of
from worker.engine.sampler.score import LOWEST_PITCH, Chord, Event, Hits, Note, Score
from worker.engine.sampler.voicing import voice_chord

WIDTH, HEIGHT, MARGIN = 880, 256, 48
WINDOW = 2048
LOWEST, HIGHEST = 40.0, 15_000.0
# Decibels from black to white.
RANGE = 70.0
WHITE, INK, GRID = (255, 255, 255), (60, 60, 60), (225, 225, 225)
# Okabe and Ito's colour-blind safe palette, with grey instead of yellow.
COLOURS = (
    (0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115), (150, 150, 150),
    (0, 114, 178), (213, 94, 0), (204, 121, 167),
)  # fmt: skip
FONT = ImageFont.load_default(13)


def draw_spectrogram(audio: Floats, title: str, file: Path) -> None:
    """Write a greyscale PNG: time to the right, frequency upwards on a logarithmic scale.

    Args:
        audio: float32 of shape [channels, samples], at 32 kHz.
        title: one line above the image.
        file: the path to write.
    """
    levels = _levels(audio)
    grey = np.clip(1 - (levels.max() - levels) / RANGE, 0, 1)
    # 32 shades keep the file small.
    image = Image.fromarray((grey * 31).astype(np.uint8) * 8)
    page = Image.new("L", (WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN), 255)
    page.paste(image, (MARGIN, MARGIN))
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN // 2), title, fill=0, font=FONT, anchor="lm")
    for hertz in (100, 1000, 10_000):
        at = MARGIN + HEIGHT * (1 - np.log(hertz / LOWEST) / np.log(HIGHEST / LOWEST))
        draw.text((MARGIN - 4, at), f"{hertz:,}", fill=0, font=FONT, anchor="rm")
    seconds = audio.shape[1] / SAMPLE_RATE
    for second in range(0, int(seconds) + 1, 5):
        at = MARGIN + WIDTH * second / seconds
        draw.text((at, HEIGHT + MARGIN + 14), f"{second} s", fill=0, font=FONT, anchor="mm")
    page.save(file, optimize=True)


def _levels(audio: Floats) -> NDArray[np.float64]:
    """The level of each pixel in decibels, [HEIGHT, WIDTH], the highest frequency first."""
    mono = np.pad(audio.mean(0), WINDOW // 2)
    starts = np.linspace(0, len(mono) - WINDOW, WIDTH).astype(int)
    frames = np.stack([mono[start : start + WINDOW] for start in starts]) * np.hanning(WINDOW)
    magnitudes = np.abs(np.fft.rfft(frames))
    bins = np.geomspace(HIGHEST, LOWEST, HEIGHT) / SAMPLE_RATE * WINDOW
    pixels = np.stack([np.interp(bins, np.arange(magnitudes.shape[1]), frame) for frame in magnitudes], axis=1)
    return np.asarray(20 * np.log10(pixels + 1e-6))


def read_losses(file: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The steps, and the held-out loss of each codebook: [reports], [reports, 8]."""
    with file.open(newline="") as lines:
        table = np.array([[float(cell) for cell in row] for row in csv.reader(lines)])
    return table[:, 0], table[:, 3:]


def draw_losses(steps: Sequence[float] | NDArray[np.float64], losses: NDArray[np.float64], file: Path) -> None:
    """Write a PNG of the losses by step, in nats per code, with a line for each codebook."""
    page = Image.new("RGB", (WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN), WHITE)
    draw = ImageDraw.Draw(page)
    last, highest = max(float(np.max(steps)), 1.0), max(float(np.ceil(losses.max())), 1.0)

    def place(step: float, loss: float) -> tuple[float, float]:
        return MARGIN + WIDTH * step / last, MARGIN + HEIGHT * (1 - loss / highest)

    for loss in np.linspace(0, highest, 5):
        draw.line([place(0, loss), place(last, loss)], fill=GRID)
        draw.text((MARGIN - 4, place(0, loss)[1]), f"{loss:.2g}", fill=INK, font=FONT, anchor="rm")
    for step in np.linspace(0, last, 6):
        x, y = place(step, 0)
        draw.text((x, y + 14), f"{step:.0f}", fill=INK, font=FONT, anchor="mm")
    draw.text((MARGIN, MARGIN // 2), "held-out loss by step, nats a code", fill=INK, font=FONT, anchor="lm")
    for row, (stream, colour) in enumerate(zip(Stream, COLOURS, strict=True)):
        points = [place(step, loss) for step, loss in zip(steps, losses[:, row], strict=True)]
        draw.line(points, fill=colour, width=2)
        draw.text(
            (MARGIN + WIDTH - 90, MARGIN + 8 + 17 * row), stream.name.lower(), fill=colour, font=FONT, anchor="lm"
        )
    page.save(file, optimize=True)


def draw_roll(score: Score, title: str, file: Path, bars: int = 32) -> None:
    """Write a piano roll as a PNG: steps to the right, pitches upwards in the streams' colours, drums at the bottom.

    Args:
        score: the piece.
        title: one line above the image.
        file: the path to write.
        bars: how many bars of the piece.
    """
    steps = min(score.steps, bars * score.header.steps)
    wide = max(1, WIDTH // steps)
    page = Image.new("RGB", (wide * steps + 2 * MARGIN, HEIGHT + 2 * MARGIN), WHITE)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN // 2), title[:140], fill=INK, font=FONT, anchor="lm")
    for bar in range(steps // score.header.steps):
        left = MARGIN + bar * score.header.steps * wide
        draw.line((left, MARGIN, left, MARGIN + HEIGHT), fill=GRID)
        if bar == 0 or score.sections[bar] is not score.sections[bar - 1]:
            draw.text((left, MARGIN - 8), score.sections[bar].name.lower(), fill=INK, font=FONT, anchor="lm")
    for stream, row in score.events.items():
        for step, end in pairwise([*sorted(row), score.steps]):
            last = min(end, steps) if stream < Stream.DRUMS else step + 1
            for height in _heights(stream, row[step]) if step < steps else ():
                top = MARGIN + HEIGHT - height
                box = (MARGIN + step * wide, top, MARGIN + last * wide - 1, top + 2)
                draw.rectangle(box, fill=COLOURS[stream])
    page.save(file, optimize=True)


def _heights(stream: Stream, event: Event) -> list[int]:
    """Where an event is drawn, in pixels above the bottom."""
    match event:
        case Note(pitch=pitch):
            return [(pitch - LOWEST_PITCH) * 3 + 72]
        case Chord(root=root, quality=quality, instrument=name):
            return [
                (pitch - LOWEST_PITCH) * 3 + 72 for pitch in voice_chord(root, quality, patch_of(name, stream).centre)
            ]
        case Hits(pieces=pieces):
            names = (*PIECES[Stream.DRUMS], *PIECES[Stream.PERCUSSION])
            return [5 * names.index(piece) + 4 for piece in pieces]
        case _:
            return []
