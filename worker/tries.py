"""The tries of one attempt: audio that is not on the grid of its recipe is generated again, with another seed."""

import asyncio
from collections.abc import Awaitable, Callable

from shared.audio_conditions import encode_excerpt
from shared.logs import get_logger
from shared.messages import Recipe
from worker.delivery.take_of import take_of
from worker.engine.host.engine_job import EngineJob, GenerationFailedError
from worker.engine.interface import ModelInfo, Samples
from worker.production.audio_child import OldAudio, context_of, engine_child, join, read_old_audio
from worker.production.engine_recipe import MOST_TRIES, engine_recipe
from worker.production.grid_fit import NotOnGridError, fit
from worker.production.take import Take

log = get_logger(__name__)

# The share of the remaining progress that a try gets if another one may follow: most takes fit at once.
SHARE = 0.6


class Tries:
    """Generates a take. Only models that write no score, if asked for a tempo, need more than one try.

    Args:
        recipe: of the job.
        info: of the engine.
        on_chunk: gets the audio of a try as it arrives, unless the file will have it changed or in another place.

    Attributes:
        job: the current try in the engine.
    """

    def __init__(self, recipe: Recipe, info: ModelInfo, on_chunk: Callable[[Samples], None]) -> None:
        self._recipe = recipe
        self._info = info
        self._has_score = bool(info.outputs)
        self._number = 0
        self._reason = ""
        self._fitted: Take | None = None
        self._rejected: list[NotOnGridError] = []
        self._is_child = recipe.parent_audio is not None
        self._old: OldAudio | None = None
        self._is_fitted = not self._has_score and recipe.bpm is not None and not self._is_child
        self.job = EngineJob() if self._is_fitted or self._is_child else EngineJob(on_chunk)
        self._first = self.job

    @property
    def began(self) -> float | None:
        """When the first try got into the engine, on the clock of `time.perf_counter`; None before."""
        return self._first.began

    @property
    def progress(self) -> float:
        """From 0 to 1; it never falls, because each try but the last one has a share of what is left."""
        if not self._is_fitted:
            return self.job.progress
        left = (1 - SHARE) ** self._number
        share = SHARE if self._number + 1 < MOST_TRIES else 1.0
        return 1 - left + left * share * self.job.progress

    @property
    def phase(self) -> str:
        """For the client."""
        return f"Generating again: {self._reason}" if self._reason else "Generating"

    async def run(self, generate: Callable[[Recipe, EngineJob], Awaitable[None]]) -> None:
        """Call `generate` until its take is on the grid, at most `MOST_TRIES` times.

        Raises:
            Exception: as `generate` does; not GenerationFailedError once there is a take.
        """
        while True:
            try:
                await generate(self._asked, self.job)
            except GenerationFailedError:
                if not self._rejected:
                    raise
                return
            if not self._is_fitted or await self._fits() or self._number + 1 == MOST_TRIES:
                return
            self._number += 1
            self.job = EngineJob()

    async def read_parent(self, file: bytes) -> bytes:
        """Decode the file of the take that this one is made of; returns the excerpt for the engine.

        Raises:
            GenerationFailedError: if it cannot be used.
        """
        try:
            return await asyncio.to_thread(self._read_parent, file)
        except ValueError as error:
            raise GenerationFailedError("unusable_parent", str(error)) from error

    async def take(self, *, is_whole: bool) -> Take | None:
        """The take on the grid; else the best one that was made, with a warning; None if there is no audio.

        Args:
            is_whole: False if the client stopped the job early.
        """
        if self._fitted is not None:
            return self._fitted
        if self._rejected:
            return max(self._rejected, key=lambda error: error.confidence).take
        if not self.job.chunks:
            return None
        return await asyncio.to_thread(self._fit_now, is_whole)

    def release_audio(self) -> None:
        """Free the memory of all takes, because the files are on disk."""
        self.job.release_audio()
        self._fitted = self._old = None
        self._rejected.clear()

    @property
    def _asked(self) -> Recipe:
        if self._is_child:
            return engine_child(self._recipe)
        return self._recipe if self._has_score else engine_recipe(self._recipe, self._number)

    def _read_parent(self, file: bytes) -> bytes:
        self._old = read_old_audio(file, self._info.channels)
        return encode_excerpt(context_of(self._old, self._recipe))

    async def _fits(self) -> bool:
        try:
            self._fitted = await asyncio.to_thread(self._fit_now, True)
        except NotOnGridError as error:
            log.info("not on the grid", number=self._number, reason=str(error), confidence=error.confidence)
            self._reason = str(error)
            self._rejected.append(error)
        return self._fitted is not None

    def _fit_now(self, is_whole: bool) -> Take:
        seed = None if self._number == 0 else self._asked.seed
        take = take_of(self.job, self._info, is_whole=is_whole)._replace(seed=seed)
        if self._old is not None:
            take = join(take, self._recipe, self._old)
        return fit(take, self._recipe)
