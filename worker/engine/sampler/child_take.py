"""A composed child: its audio, its music and its outputs."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from shared.edits import Composed
from shared.messages import Recipe
from worker.engine.interface import KeptGenerationError, OnOutput, OnStep, Samples
from worker.engine.sampler.child import ChildPlan
from worker.engine.sampler.clock import SAMPLE_RATE
from worker.engine.sampler.codec import SamplerCodec
from worker.engine.sampler.outputs import make_outputs
from worker.engine.sampler.splice import Piece, Splice, find_splice

Candidate = tuple[NDArray[np.int64], float]


class ChildTake:
    """Renders the candidate after which the model finds what follows most likely.

    Args:
        codec: the sampler.
        child: as it was planned.
        candidates: the codes that the model composed, and the likelihood of what follows; none if nothing was composed.
    """

    def __init__(self, codec: SamplerCodec, child: ChildPlan, candidates: Sequence[Candidate]) -> None:
        self._codec = codec
        self._child = child
        self._candidates = candidates
        self._chosen = int(np.argmax([likelihood for _, likelihood in candidates])) if candidates else 0
        old, draft = child.old, child.draft
        codes = draft.complete(candidates[self._chosen][0]) if candidates else draft.held
        self._piece = Piece(codes, child.samples, old.tempo, old.bar_steps, draft.first_step, child.loop)
        self._parent = Piece(old.codes, old.stored.samples, old.tempo, old.bar_steps, old.stored.first_step, child.loop)

    def play(self, recipe: Recipe, on_step: OnStep, on_output: OnOutput) -> Iterator[Samples]:
        """Yield the audio, second by second, then make the outputs; see `ScoreEngine.generate`."""
        audio, splice = self._render()
        played = 0
        with suppress(KeptGenerationError):
            for start in range(0, audio.shape[1], SAMPLE_RATE):
                on_step(1, 1)
                yield audio[:, start : start + SAMPLE_RATE].T
                played = min(start + SAMPLE_RATE, audio.shape[1])
        if not played:
            return

        def check() -> None:
            with suppress(KeptGenerationError):
                on_step(1, 1)

        piece, length = self._piece, min(played, self._child.samples)
        for output in make_outputs(
            piece.codes,
            recipe.outputs,
            length,
            piece.tempo,
            reading=self._child.reading,
            caption=self._child.old.stored.caption,
            composed=self._composed(splice),
            tail=played - length,
            first_step=piece.first_step,
            splice=splice if length == self._child.samples else None,
            only=self._child.only,
            on_step=check,
        ):
            on_output(output)

    def _render(self) -> tuple[NDArray[np.float32], Splice | None]:
        """The audio, float32 of shape [2, samples], and where the parent's samples take over."""
        audio, part = self._piece.render(self._codec, self._child.only), self._child.draft.part
        if part is None or not self._child.draft.counted:
            return audio, None
        old = self._parent.render(self._codec)
        splice = find_splice(audio, old, self._piece, self._parent, part.stop)
        splice.apply(audio, old)
        return audio, splice

    def _composed(self, splice: Splice | None) -> Composed:
        part, piece = self._child.draft.part, self._piece
        likelihoods = tuple(round(likelihood, 4) for _, likelihood in self._candidates)
        end = None if part is None else min(piece.position(part.stop), piece.samples)
        return Composed(
            candidates=len(self._candidates),
            chosen=self._chosen + 1 if self._candidates else 0,
            likelihoods=likelihoods if len(likelihoods) > 1 else None,
            from_seconds=None if part is None else _seconds(piece.position(part.start)),
            to_seconds=None if end is None else _seconds(end),
            tail_seconds=None if splice is None or end is None else _seconds(splice.at - end),
        )


def _seconds(samples: int) -> float:
    return round(samples / SAMPLE_RATE, 6)
