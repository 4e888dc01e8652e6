"""Tiny engines in place of the model: the prompt's first word says how each behaves.

Named by MUSICGEN_ENGINE=tests.engines:load, they run in a real engine process.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from shared.errors import ModelUnavailableError
from shared.messages import Recipe
from worker.engine.interface import EngineSettings, ModelInfo, OnLoading, OnStep, Samples

SAMPLE_RATE = 32_000
STEP = 0.01


def tone(recipe: Recipe, on_step: OnStep) -> Samples:
    """A sine that the seed tunes, at once."""
    on_step(1, 1)
    seconds = np.arange(round(recipe.duration * SAMPLE_RATE), dtype=np.float32) / SAMPLE_RATE
    frequency = 220 + recipe.seed % 660
    return (0.5 * np.sin(2 * np.pi * frequency * seconds))[:, None].astype(np.float32)


def slow(recipe: Recipe, on_step: OnStep) -> Samples:
    """As long as the music itself takes."""
    steps = max(round(recipe.duration / STEP), 1)
    for step in range(steps):
        time.sleep(STEP)
        on_step(step + 1, steps)
    return tone(recipe, on_step)


def deaf(recipe: Recipe, on_step: OnStep) -> Samples:
    """Works for as long as the music takes and never looks whether it was cancelled."""
    time.sleep(recipe.duration)
    return tone(recipe, lambda done, total: None)


def fail(recipe: Recipe, on_step: OnStep) -> Samples:
    raise ValueError("no such chord")


def memory(recipe: Recipe, on_step: OnStep) -> Samples:
    raise MemoryError("60 s do not fit")


def nan(recipe: Recipe, on_step: OnStep) -> Samples:
    return np.full_like(tone(recipe, on_step), np.nan)


def loud(recipe: Recipe, on_step: OnStep) -> Samples:
    """Beyond full scale."""
    return tone(recipe, on_step) * np.float32(4)


def crash(recipe: Recipe, on_step: OnStep) -> Samples:
    os._exit(9)


def once(recipe: Recipe, on_step: OnStep) -> Samples:
    """Dies the first time; the prompt's second word is a file that remembers."""
    marker = Path(recipe.prompt.split()[1])
    if not marker.exists():
        marker.touch()
        os._exit(9)
    return tone(recipe, on_step)


BEHAVIOURS: dict[str, Callable[[Recipe, OnStep], Samples]] = {
    each.__name__: each for each in (tone, slow, deaf, fail, memory, nan, loud, crash, once)
}


class ScriptedEngine:
    """Does what the prompt's first word says; any other prompt is a tone."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.info = ModelInfo(engine="scripted", device="cpu", sample_rate=SAMPLE_RATE, channels=1)

    def generate(self, recipe: Recipe, on_step: OnStep) -> Samples:
        return BEHAVIOURS.get(recipe.prompt.split()[0], tone)(recipe, on_step)


def load(settings: EngineSettings, on_loading: OnLoading) -> ScriptedEngine:
    on_loading("Tuning")
    return ScriptedEngine(settings.max_slots)


def missing(settings: EngineSettings, on_loading: OnLoading) -> ScriptedEngine:
    """A model that cannot be had."""
    raise ModelUnavailableError("The hub is not reachable.", "Check the network.", retryable=True)
