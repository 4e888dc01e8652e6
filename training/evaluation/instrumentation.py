"""Measures the instruments: named ones must play, refused ones must not, and not too many others may join."""

from collections.abc import Iterable

import numpy as np

from training.evaluation.performance import Figures, Performance
from training.music.ensemble import KIT_WORDS
from worker.engine.sampler.instruments import Stream

# The instruments that make a beat, which "no drums" excludes. Timpani and vinyl crackle do not.
BEATS = frozenset((*KIT_WORDS, "percussion", "congas"))
CROWD = 99


class InstrumentationMeasure:
    """Checks the instruments, given how many the generator's pieces have for the same number of named ones."""

    def __init__(self, own: Iterable[Performance]) -> None:
        counts: dict[int, list[int]] = {}
        for performance in own:
            counts.setdefault(_named(performance), []).append(len(performance.heard))
        self._most = {named: float(np.percentile(found, CROWD)) for named, found in counts.items()}

    def __call__(self, performance: Performance) -> Figures:
        spec, heard = performance.spec, performance.heard
        figures = {"no unrequested instruments": float(self._has_room(performance))}
        if spec.instruments:
            figures["named instruments are heard"] = len(heard & set(spec.instruments)) / len(spec.instruments)
        if spec.solo:
            figures["solo"] = float(heard == set(spec.instruments))
        if spec.drums is not None:
            figures["drums or none, events"] = float(bool(heard & BEATS) is spec.drums)
        return figures

    def _has_room(self, performance: Performance) -> bool:
        spec, heard = performance.spec, performance.heard
        if spec.solo:
            return heard <= set(spec.instruments)
        if spec.bass is False and Stream.BASS in performance.score.events:
            return False
        return len(heard) <= self._most.get(_named(performance), np.inf)


def _named(performance: Performance) -> int:
    return len(performance.spec.instruments)
