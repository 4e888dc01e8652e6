"""Draws and measures finished takes of ten prompts: the notes of the MIDI file above the spectrogram of the audio.

python -m training.evaluation.take_pictures --model worker/engine/starter_model --out docs/starter
"""

import argparse
import io
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pretty_midi
from PIL import Image, ImageDraw
from scipy.signal import resample_poly  # type: ignore[import-untyped]

from training.evaluation.listening_checks import listen
from training.evaluation.pictures import COLOURS, GRID, HEIGHT, INK, MARGIN, WHITE, WIDTH, draw_spectrogram
from training.evaluation.prompt_takes import PromptPlayer, PromptTake
from training.evaluation.wishes import Case
from worker.engine.sampler.clock import SAMPLE_RATE

PROMPTS = (
    "deep house, 123 bpm, in A minor",
    "a sad piano ballad with cello, slow",
    "trap with dark bells, 142 bpm",
    "bossa nova for nylon guitar and flute",
    "heavy metal in E minor, 160 bpm",
    "epic trailer with choir and brass",
    "lo-fi hip hop with electric piano",
    "funk with slap bass and horns, 106 bpm",
    "ambient pads, very slow",
    "drum loop, 96 bpm",
)
# Pictures on a sheet, and beside each other.
ON_SHEET, COLUMNS = 5, 2
# Of the pixels of a picture, the share that is kept: the sheets are looked at in a document.
SCALE = 0.5
# In MIDI numbers; drums lie below.
LOWEST, HIGHEST = 12, 108
# Pixels of a hit, which has no length.
HIT = 4
SHADES = 24


def main(arguments: Sequence[str] | None = None) -> None:
    """Play the prompts, print what is heard of them, and draw the sheets takes-1.png, takes-2.png."""
    parser = argparse.ArgumentParser(description="Draw ten takes.")
    parser.add_argument("--model", required=True, help="a checkpoint's folder")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    options: Any = parser.parse_args(arguments)
    player = PromptPlayer(options.model, 2)
    try:
        takes = list(player.play([Case(prompt=prompt, kind="picture", half="tune") for prompt in PROMPTS]))
    finally:
        player.close()
    print("silent s  true peak  side/mid  8-16 kHz to pink")
    for take in takes:
        heard = listen(take.audio, take.rate)
        levels = f"{heard.true_peak:>10.1f} {heard.side_to_mid:>9.1f} {heard.highs_to_pink:>17.1f}"
        print(f"{heard.silent_seconds:>8} {levels}  {take.case.prompt}")
    options.out.mkdir(parents=True, exist_ok=True)
    for first in range(0, len(takes), ON_SHEET):
        draw_sheet(takes[first : first + ON_SHEET], options.out / f"takes-{1 + first // ON_SHEET}.png")


def draw_sheet(takes: Sequence[PromptTake], file: Path) -> None:
    """Write a PNG with a piano roll above a spectrogram for each take; each track of the MIDI file has a colour."""
    pictures = [_picture(take) for take in takes]
    wide, high = pictures[0].size
    sheet = Image.new("RGB", (wide * COLUMNS, high * -(-len(pictures) // COLUMNS)), WHITE)
    for place, picture in enumerate(pictures):
        sheet.paste(picture, (place % COLUMNS * wide, place // COLUMNS * high))
    sheet.quantize(SHADES).save(file, optimize=True)


def _picture(take: PromptTake) -> Image.Image:
    roll, sound = _roll(take), _spectrogram(take)
    page = Image.new("RGB", (roll.width, roll.height + sound.height - MARGIN), WHITE)
    page.paste(roll, (0, 0))
    page.paste(sound, (0, roll.height - MARGIN))
    return page.resize((round(page.width * SCALE), round(page.height * SCALE)), Image.Resampling.LANCZOS)


def _spectrogram(take: PromptTake) -> Image.Image:
    audio = resample_poly(take.audio.T, SAMPLE_RATE, take.rate, axis=1).astype(np.float32)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "spectrogram.png"
        draw_spectrogram(audio, "", file)
        return Image.open(file).convert("RGB")


def _roll(take: PromptTake) -> Image.Image:
    page = Image.new("RGB", (WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN), WHITE)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN // 4), take.case.prompt[:100], fill=INK, font_size=16)
    midi, seconds = pretty_midi.PrettyMIDI(io.BytesIO(take.midi)), len(take.audio) / take.rate
    for downbeat in midi.get_downbeats():
        left = MARGIN + WIDTH * min(downbeat / seconds, 1)
        draw.line((left, MARGIN, left, MARGIN + HEIGHT), fill=GRID)
    for track, colour in zip(midi.instruments, COLOURS * 2, strict=False):
        for note in track.notes:
            left, right = (MARGIN + WIDTH * min(at / seconds, 1) for at in (note.start, note.end))
            height = (note.pitch - 35) if track.is_drum else 56 + 200 * (note.pitch - LOWEST) // (HIGHEST - LOWEST)
            top = MARGIN + HEIGHT - min(max(height, 0), HEIGHT)
            end = left + HIT if track.is_drum else max(right - 2, left + 2)
            draw.rectangle((left, top - 3, end, top), fill=colour)
    names = "   ".join(f"{each.stream}: {each.name}" for each in take.music.instruments)
    draw.text((MARGIN, MARGIN * 5 // 8), names[:130], fill=INK, font_size=13)
    return page


if __name__ == "__main__":
    main()
