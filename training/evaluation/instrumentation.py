"""Who plays: those who are named, and nobody who was refused or would be too many."""

from collections.abc import Iterable

import numpy as np

from training.evaluation.performance import Figures, Performance
from training.music.ensemble import KIT_WORDS
from worker.engine.sampler.instruments import Stream

# Who makes a beat. A caption without drums wants none of them; timpani and vinyl crackle make no beat.
BEATS = frozenset((*KIT_WORDS, "percussion", "congas"))
CROWD = 99


class InstrumentationMeasure:
    """Knows how many instruments the generator's own pieces have, by how many their captions name."""

    def __init__(self, own: Iterable[Performance]) -> None:
        counts: dict[int, list[int]] = {}
        for performance in own:
            counts.setdefault(_named(performance), []).append(len(performance.heard))
        self._most = {named: float(np.percentile(found, CROWD)) for named, found in counts.items()}

    def __call__(self, performance: Performance) -> Figures:
        spec, heard = performance.spec, performance.heard
        figures = {"nobody else crowds in": float(self._has_room(performance))}
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
