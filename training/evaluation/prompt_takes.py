"""Makes takes of prompts as the service does: from a request to the files, without the servers between them."""

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile
from numpy.typing import NDArray

from gateway.jobs.recipes import make_recipe
from gateway.schemas import GenerateRequest
from shared.messages import Recipe
from shared.models import STARTER
from shared.music import Music
from training.evaluation.wishes import Case
from worker.engine.batching.engine import BatchingEngine, load
from worker.engine.interface import EngineSettings, Midi, Warn
from worker.production.produce import produce
from worker.production.take import Take

LONGEST = 120.0
# Where the prompt states no length: the durations of one take after the other.
DURATIONS = (8.0, 12.0, 16.0, 20.0)
# Any name does for files that are thrown away.
JOB = "gen_000000000000"


@dataclass(frozen=True)
class PromptTake:
    """A finished take.

    Attributes:
        audio: of the WAV file, of shape [frames, channels].
        midi: a standard MIDI file.
        music: what the engine tells of it, with how the prompt was read.
        warnings: sentences for the client.
    """

    case: Case
    recipe: Recipe
    audio: NDArray[np.float64]
    rate: int
    midi: bytes
    music: Music
    warnings: tuple[str, ...]


class PromptPlayer:
    """The decode engine with a model, and the production of its files."""

    def __init__(self, model: str, slots: int) -> None:
        settings = EngineSettings(engine="batching", model=model, device="auto", max_slots=slots, max_duration=LONGEST)
        self._engine: BatchingEngine = load(settings, lambda _: None)

    def play(self, cases: Sequence[Case]) -> Iterator[PromptTake]:
        """Play the cases, as many at once as the engine has slots. The seeds count from 0."""
        yield from self.make([_recipe(case, seed) for seed, case in enumerate(cases)], cases)

    def make(self, recipes: Sequence[Recipe], cases: Sequence[Case]) -> Iterator[PromptTake]:
        """Make recipes, each of its case, as many at once as the engine has slots."""
        with ThreadPoolExecutor(self._engine.slots) as pool:
            yield from pool.map(self._take, recipes, cases)

    def close(self) -> None:
        """Stop the engine."""
        self._engine.close()

    def _take(self, recipe: Recipe, case: Case) -> PromptTake:
        made: list[object] = []
        chunks = list(self._engine.generate(recipe, lambda done, total: None, made.append))
        (music,) = (each for each in made if isinstance(each, Music))
        (midi,) = (each.file for each in made if isinstance(each, Midi))
        taken = Take(
            audio=np.concatenate(chunks),
            sample_rate=self._engine.info.sample_rate,
            midi=midi,
            music=music,
            has_score=True,
            warnings=tuple(each.text for each in made if isinstance(each, Warn)),
        )
        with TemporaryDirectory() as folder:
            files = produce(JOB, taken, recipe, Path(folder))
            data = (Path(folder) / "audio.wav").read_bytes()
        audio, rate = soundfile.read(io.BytesIO(data), always_2d=True)
        return PromptTake(case, recipe, audio, rate, midi, music, files.warnings)


def _recipe(case: Case, seed: int) -> Recipe:
    stated = case.wish.bars is not None or case.wish.seconds is not None
    return recipe_of(case.prompt, seed, None if stated else DURATIONS[seed % len(DURATIONS)])


def recipe_of(prompt: str, seed: int | None, duration: float | None) -> Recipe:
    """The recipe that a gateway makes of a prompt; it draws a seed that is missing."""
    request = GenerateRequest(prompt=prompt, seed=seed, outputs=("midi",), duration=duration)
    return make_recipe(request, default_model=STARTER, models={STARTER}, max_duration=LONGEST)
