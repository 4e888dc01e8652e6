"""Finds key and mode from the notes."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from training.evaluation.notes import SoundingNote, sounding_notes
from training.evaluation.performance import Figures, Performance
from training.music.ensemble import KIT_WORDS, SETS
from worker.engine.sampler.degrees import TONES
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import Chord, Quality, Score

BATCH = 64
# Maximum weight of a note, in sixteenth notes.
LONGEST = 8
# Lengths of phrases in bars; phrases often begin with the tonic.
PHRASES = (1, 2, 4, 8)
# Rows of evidence: all notes, bass, melody, chord roots by quality, beginnings of phrases, beginning of the piece.
NOTES_AND_ROOTS = 3 + len(Quality)
ROWS = NOTES_AND_ROOTS + 2 * len(PHRASES) + 2
UNPITCHED = frozenset((*KIT_WORDS, *SETS))

Evidence = NDArray[np.float32]


def evidence(score: Score, first: int = 0, last: int | None = None) -> Evidence:
    """Weights of the pitch classes by kind of evidence, between two steps: [ROWS, 12], normalised per row."""
    found = np.zeros((ROWS, 12), np.float32)
    opened: set[Stream] = set()
    for sound in sounding_notes(score):
        if first <= sound.step < (score.steps if last is None else last):
            _count_notes(found, sound)
            if isinstance(sound.event, Chord) or sound.stream is Stream.BASS:
                _count_openings(found, sound, score.header.steps, is_first=sound.stream not in opened)
            opened.add(sound.stream)
    totals = found.sum(axis=1, keepdims=True)
    return np.asarray(found / np.where(totals == 0, 1, totals))


def _count_notes(found: Evidence, sound: SoundingNote) -> None:
    weight, event = min(sound.steps, LONGEST), sound.event
    if isinstance(event, Chord):
        found[3 + event.quality, event.root] += weight
        for tone in TONES[event.quality]:
            found[0, (event.root + tone) % 12] += weight
    else:
        found[0, event.pitch % 12] += weight
        if sound.stream in (Stream.BASS, Stream.LEAD):
            found[1 if sound.stream is Stream.BASS else 2, event.pitch % 12] += weight


def _count_openings(found: Evidence, sound: SoundingNote, bar_steps: int, *, is_first: bool) -> None:
    """Count chord roots and bass notes at the beginnings of phrases and of the piece."""
    chordal = isinstance(sound.event, Chord)
    root = sound.event.root if isinstance(sound.event, Chord) else sound.event.pitch % 12
    bar, place = divmod(sound.step, bar_steps)
    for row, bars in enumerate(PHRASES, NOTES_AND_ROOTS + len(PHRASES) * chordal):
        found[row, root] += min(sound.steps, LONGEST) * (place == 0 and bar % bars == 0)
    found[ROWS - 2 + chordal, root] += is_first


class KeyFinder:
    """Scores the evidence as major and minor at each of twelve tonics (after Krumhansl 1990, chapter 4).

    The network in place of key profiles is fitted to the generator's pieces, as Temperley (2007, chapter 4) fitted his
    profiles to a corpus.
    """

    def __init__(self, own: Sequence[Performance], hidden: int = 128, epochs: int = 50) -> None:
        scores = [performance.score for performance in own if any(sounding_notes(performance.score))]
        found = torch.from_numpy(np.stack([evidence(score) for score in scores]))
        keys = torch.tensor([12 * score.header.minor + score.header.key for score in scores])
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self._network = nn.Sequential(
                nn.Linear(ROWS * 12, hidden), nn.ReLU(), nn.Dropout(0.4),
                nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(0.4),
                nn.Linear(hidden, 2),
            )  # fmt: skip
            self._fit(found, keys, epochs)
        self._network.eval()

    def _fit(self, found: Tensor, keys: Tensor, epochs: int) -> None:
        optimizer = torch.optim.AdamW(self._network.parameters(), lr=3e-3, weight_decay=0.05)
        batches = -(-len(found) // BATCH)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, epochs * batches)
        for _ in range(epochs):
            for batch in torch.split(torch.randperm(len(found)), BATCH):
                optimizer.zero_grad()
                cross_entropy(self._likelihoods(found[batch]), keys[batch]).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()

    def _likelihoods(self, found: Tensor) -> Tensor:
        """The logits of 12 major keys, then 12 minor ones: [pieces, 24]."""
        rotated = torch.stack([found.roll(-tonic, 2) for tonic in range(12)], 1)
        likelihoods: Tensor = self._network(rotated.flatten(2)).transpose(1, 2).flatten(1)
        return likelihoods

    @torch.no_grad()
    def find(self, found: Evidence) -> tuple[int, bool]:
        """The tonic, and whether the key is minor."""
        minor, tonic = divmod(int(self._likelihoods(torch.from_numpy(found)[None]).argmax()), 12)
        return tonic, bool(minor)

    def __call__(self, performance: Performance) -> Figures:
        spec, header = performance.spec, performance.score.header
        if spec.key is None or (spec.solo and UNPITCHED.issuperset(spec.instruments)):
            return {}
        asked = (spec.key, bool(spec.minor))
        return {
            "key, conductor": float((header.key, header.minor) == asked),
            "key, notes": float(self.find(evidence(performance.score)) == asked),
        }
