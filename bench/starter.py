"""Times the built-in model: how long its prompts take to read, and how fast it makes music on one core.

uv run python -m bench.starter
"""

import argparse
import os
import random
import time
import timeit
from collections.abc import Iterable

import torch

from bench.arguments import positive_float, positive_int
from bench.report import machine, milliseconds, show
from shared.messages import Recipe
from shared.models import STARTER, default_guidance
from shared.prompt.reader import LONGEST, read_prompt
from worker.engine.batching.engine import BatchingEngine, load
from worker.engine.interface import EngineSettings

PROSE = (
    "A slow, dark cinematic piece with a lonely piano, warm strings and a distant choir, at 72 bpm in D minor; no "
    "drums, no guitars, then it builds to an epic chorus with brass and timpani. "
)
# Emoji of which some are instruments or moods, and characters of Chinese and Japanese words and particles.
EMOJI = "🎵🎶🎸🎹🥁🔥💥✨🌊🌙❤😀🤘🎷🎺🎻"
CHARACTERS = "静かな夜にピアノと弦楽器暗速的電子音樂鼓低音重金属爵士鋼琴快"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
# The prompts whose takes are timed.
PIECES = (
    "house with piano, 124 bpm",
    "epic cinematic music with strings, brass and timpani",
    "jazz trio with double bass",
    "lofi hip hop with electric piano and vinyl crackle",
)
LONGEST_READING = 0.008
LEAST_SPEED = 15


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=positive_float, default=30.0, help="of each piece (30)")
    parser.add_argument("--readings", type=positive_int, default=21, help="of each prompt (21)")
    options = parser.parse_args()
    readings = {name: reading_time(text, options.readings) for name, text in long_prompts().items()}
    speed = _on_one_core(options.seconds)
    rows = [
        (f"read {LONGEST} characters: {name}", f"{milliseconds(seconds)} ms", f"<= {milliseconds(LONGEST_READING)} ms")
        for name, seconds in readings.items()
    ]
    rows += [
        (f"piece of {options.seconds:g} s on one core, audio by time", f"{speed:.1f} x", f">= {LEAST_SPEED} x"),
    ]
    figures = {"machine": machine(), "load": os.getloadavg()[0], "speed": round(speed, 1)}
    show("starter", rows, figures | {"readings_ms": {name: milliseconds(each) for name, each in readings.items()}})


def long_prompts() -> dict[str, str]:
    """The longest prompts that are read whole, by what they consist of."""
    source = random.Random(1)
    words = ("".join(source.choices(LETTERS, k=source.randint(3, 9))) for _ in range(LONGEST))
    return {
        "prose": _cut(PROSE for _ in range(LONGEST)),
        "many emoji": _cut(source.choice(EMOJI) for _ in range(LONGEST)),
        "one emoji": EMOJI[0] * LONGEST,
        "CJK": _cut(source.choice(CHARACTERS) for _ in range(LONGEST)),
        "unknown words": _cut(f"{word} " for word in words),
        "no spaces": _cut(source.choice(LETTERS) for _ in range(LONGEST)),
    }


def _cut(parts: Iterable[str]) -> str:
    return "".join(parts)[:LONGEST]


def reading_time(prompt: str, times: int) -> float:
    """The least seconds that it takes to read a prompt, with the lexicon loaded: others on the machine only add."""
    read_prompt(prompt)
    return min(timeit.repeat(lambda: read_prompt(prompt), number=1, repeat=times))


def _on_one_core(seconds: float) -> float:
    """The seconds of audio a second of the pieces, one after the other, in a warm engine with one thread."""
    torch.set_num_threads(1)
    settings = EngineSettings(engine="batching", model=STARTER, device="cpu", max_slots=1, max_duration=seconds)
    engine = load(settings, lambda message: None)
    try:
        _play(engine, PIECES[0], seconds)
        began = time.perf_counter()
        for prompt in PIECES:
            _play(engine, prompt, seconds)
        return len(PIECES) * seconds / (time.perf_counter() - began)
    finally:
        engine.close()


def _play(engine: BatchingEngine, prompt: str, seconds: float) -> None:
    recipe = Recipe(model=STARTER, prompt=prompt, duration=seconds, seed=1, cfg_coef=default_guidance(STARTER))
    for _ in engine.generate(recipe, lambda done, total: None):
        pass


if __name__ == "__main__":
    main()
