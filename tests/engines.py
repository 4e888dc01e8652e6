"""Small engines without a model, whose behaviour the prompt's first word selects.

MUSICGEN_ENGINE=tests.engines:load runs them in a real engine process.
"""

import os
import signal
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from shared.errors import ModelUnavailableError
from shared.files import OUTPUT_KINDS
from shared.messages import Recipe
from worker.engine.interface import (
    EngineSettings,
    KeptGenerationError,
    Midi,
    ModelInfo,
    OnLoading,
    OnOutput,
    OnStep,
    Samples,
    Stage,
    Stem,
)

SAMPLE_RATE = 32_000
# Seconds of work per step, and the frames that a step makes.
STEP = 0.01
STEP_FRAMES = round(STEP * SAMPLE_RATE)
# A chunk is a quarter of a second.
CHUNK_FRAMES = SAMPLE_RATE // 4
EMPTY_MIDI = b"MThd" + struct.pack(">IHHH", 6, 1, 0, 480)


def sine(recipe: Recipe) -> Samples:
    """A tone for the whole duration; the seed sets its frequency."""
    seconds = np.arange(round(recipe.duration * SAMPLE_RATE), dtype=np.float32) / SAMPLE_RATE
    frequency = 220 + recipe.seed % 660
    return (0.5 * np.sin(2 * np.pi * frequency * seconds))[:, None].astype(np.float32)


def tone(recipe: Recipe, on_step: OnStep) -> Iterator[Samples]:
    """Makes all audio at once."""
    on_step(1, 1)
    yield sine(recipe)


def slow(recipe: Recipe, on_step: OnStep) -> Iterator[Samples]:
    """Makes audio in real time, chunk by chunk."""
    samples = sine(recipe)
    for start in range(0, len(samples), CHUNK_FRAMES):
        chunk = samples[start : start + CHUNK_FRAMES]
        for done in range(start, start + len(chunk), STEP_FRAMES):
            time.sleep(STEP)
            on_step(done, len(samples))
        yield chunk


def silent(recipe: Recipe, on_step: OnStep) -> Iterator[Samples]:
    """Works in real time, and makes all audio at the end."""
    for _ in slow(recipe, on_step):
        pass
    yield sine(recipe)


def deaf(recipe: Recipe, on_step: OnStep) -> Iterator[Samples]:
    """Works in real time, and ignores a cancel."""
    time.sleep(recipe.duration)
    yield sine(recipe)


def fail(recipe: Recipe, on_step: OnStep) -> Iterator[Samples]:
    raise ValueError("no such chord")


def snap(recipe: Recipe, on_step: OnStep) -> Iterator[Samples]:
    """Makes all audio, then fails."""
    yield from slow(recipe, on_step)
    raise ValueError("a string snapped")


def memory(recipe: Recipe, on_step: OnStep) -> Iterator[Samples]:
    raise MemoryError("60 s do not fit")


def nan(recipe: Recipe, on_step: OnStep) -> Iterator[Samples]:
    yield np.full_like(sine(recipe), np.nan)


def mute(recipe: Recipe, on_step: OnStep) -> Iterator[Samples]:
    """Makes audio that is silent."""
    yield sine(recipe) * np.float32(1e-4)


def hum(recipe: Recipe, on_step: OnStep) -> Iterator[Samples]:
    """Works in real time, and makes samples that are not numbers."""
    for chunk in slow(recipe, on_step):
        yield np.full_like(chunk, np.nan)


def loud(recipe: Recipe, on_step: OnStep) -> Iterator[Samples]:
    """Makes audio above full scale."""
    yield sine(recipe) * np.float32(4)


def crash(recipe: Recipe, on_step: OnStep) -> Iterator[Samples]:
    """Kills the engine process at once."""
    os._exit(9)


def poison(recipe: Recipe, on_step: OnStep) -> Iterator[Samples]:
    """Makes all audio, then kills the engine process."""
    yield from slow(recipe, on_step)
    os._exit(9)


def assassin(recipe: Recipe, on_step: OnStep) -> Iterator[Samples]:
    """Kills the worker."""
    os.kill(os.getppid(), signal.SIGKILL)
    yield sine(recipe)


def hang(recipe: Recipe, on_step: OnStep) -> Iterator[Samples]:
    """Makes all audio, then freezes the engine process."""
    yield sine(recipe)
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(60)  # the signal may arrive late


def deadlock(recipe: Recipe, on_step: OnStep) -> Iterator[Samples]:
    """Makes all audio, then never finishes; other jobs continue."""
    yield sine(recipe)
    while True:
        time.sleep(STEP)
        on_step(0, 1)


def torn(recipe: Recipe, on_step: OnStep) -> Iterator[Samples]:
    """Makes all audio, then kills the engine process between two outputs."""
    yield from slow(recipe, on_step)


def once(recipe: Recipe, on_step: OnStep) -> Iterator[Samples]:
    """Kills the engine process after its first run; the prompt's second word is the file that records it."""
    yield from slow(recipe, on_step)
    marker = Path(recipe.prompt.split()[1])
    if not marker.exists():
        marker.touch()
        os._exit(9)


def single(recipe: Recipe, on_step: OnStep) -> Iterator[Samples]:
    """Fails when it runs a second time; the prompt's second word is the file that records the first run."""
    Path(recipe.prompt.split()[1]).touch(exist_ok=False)
    yield from slow(recipe, on_step)


THAT_MAKE = (tone, slow, silent, deaf, hum, loud, once, single)
THAT_FAIL = (fail, snap, memory, nan, mute, crash, poison, assassin, torn, hang, deadlock)
BEHAVIOURS: dict[str, Callable[[Recipe, OnStep], Iterator[Samples]]] = {
    each.__name__: each for each in (*THAT_MAKE, *THAT_FAIL)
}


class ScriptedEngine:
    """Behaves as the prompt's first word says; any other prompt gives a tone."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.info = ModelInfo(engine="scripted", device="cpu", sample_rate=SAMPLE_RATE, channels=1)

    def generate(self, recipe: Recipe, on_step: OnStep) -> Iterator[Samples]:
        return BEHAVIOURS.get(recipe.prompt.split()[0], tone)(recipe, on_step)


def load(settings: EngineSettings, on_loading: OnLoading) -> ScriptedEngine:
    on_loading("Tuning")
    return ScriptedEngine(settings.max_slots)


def load_seeing(settings: EngineSettings, on_loading: OnLoading) -> ScriptedEngine:
    """Its name says which device it is for, and which GPU it sees."""
    engine = ScriptedEngine(settings.max_slots)
    name = f"{settings.device} sees {os.environ.get('CUDA_VISIBLE_DEVICES')}"
    engine.info = replace(engine.info, engine=name, device="cuda")
    return engine


class ScoringEngine(ScriptedEngine):
    """The same with outputs: a MIDI file without tracks, and one stem, which is the whole audio. Tells its stages."""

    def __init__(self, slots: int) -> None:
        super().__init__(slots)
        self.info = replace(self.info, outputs=OUTPUT_KINDS)

    def generate(self, recipe: Recipe, on_step: OnStep, on_output: OnOutput = lambda output: None) -> Iterator[Samples]:
        made: list[Samples] = []
        began = time.time_ns()
        with suppress(KeptGenerationError):
            for chunk in super().generate(recipe, on_step):
                made.append(chunk)
                yield chunk
        on_output(Stage("decode", began, time.time_ns(), recipe.duration))
        if "midi" in recipe.outputs:
            on_output(Midi(EMPTY_MIDI))
        if recipe.prompt == torn.__name__:
            os._exit(9)
        if "stems" in recipe.outputs:
            on_output(Stem("bass", np.concatenate(made)))


def load_folder(settings: EngineSettings, on_loading: OnLoading) -> ScriptedEngine:
    """Loads as files in the model's folder say: `wait` until that file is gone, `broken` not at all, `away` not now.

    With `deadly`, its process dies.
    """
    folder = Path(settings.model)
    on_loading("Reading the weights")
    while (folder / "wait").exists():
        time.sleep(STEP)
    if (folder / "deadly").exists():
        os._exit(9)
    for name, retryable in (("broken", False), ("away", True)):
        if (folder / name).exists():
            raise ModelUnavailableError("The weights are damaged.", "Copy the folder again.", retryable=retryable)
    return ScriptedEngine(settings.max_slots)


def load_scoring(settings: EngineSettings, on_loading: OnLoading) -> ScoringEngine:
    return ScoringEngine(settings.max_slots)


def missing(settings: EngineSettings, on_loading: OnLoading) -> ScriptedEngine:
    """A model that cannot be downloaded."""
    raise ModelUnavailableError("The hub is not reachable.", "Check the network.", retryable=True)
