"""Recognises genre and mood with a classifier that is trained on the generator's pieces."""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from training.evaluation.key import NOTES_AND_ROOTS, evidence
from training.evaluation.notes import sounding_notes
from training.evaluation.performance import Figures, Performance
from worker.engine.sampler.instruments import HIT_STREAMS, INSTRUMENTS, KITS, PIECES, Stream
from worker.engine.sampler.score import LONGEST_BAR, LOUDNESS, Chord, Hits, Note, Quality, Score, Section

Features = NDArray[np.float32]
BATCH = 64
# Velocities of chords from the softest to the hardest; see `Chord`.
_CHORD_LOUDNESS = (2, 0, 1, 3)
_PITCHED = [stream for stream in list(Stream)[1:] if stream not in HIT_STREAMS]


def features(score: Score) -> Features:
    """The classifier's features: instruments, tempo, rhythm of each stream and kit piece, harmony and dynamics."""
    header = score.header
    rhythm, players, touch = _rhythms(score), _players(score), _touch(score)
    harmony = np.roll(evidence(score)[:NOTES_AND_ROOTS], -header.key, axis=1)
    sections = [score.sections.count(section) / max(len(score.sections), 1) for section in Section]
    tempo = [np.exp(-((header.bpm - centre) ** 2) / 200) for centre in range(40, 201, 10)]
    general = [header.bpm / 100, header.steps / 4, *np.eye(6)[header.swing], header.minor, *sections, *tempo]
    parts = (rhythm, players, touch, harmony.ravel(), np.array(general))
    return np.concatenate(parts).astype(np.float32)


def _rhythms(score: Score) -> NDArray[np.float64]:
    """The frequency of onsets at each sixteenth of the longest bar, by pitched stream and by kit piece."""
    rows = {stream: place for place, stream in enumerate(_PITCHED)}
    starts = accumulate((len(PIECES[stream]) for stream in HIT_STREAMS), initial=len(_PITCHED))
    first = dict(zip(HIT_STREAMS, starts, strict=False))
    found = np.zeros((len(_PITCHED) + sum(len(PIECES[stream]) for stream in HIT_STREAMS), LONGEST_BAR))
    for stream, events in score.events.items():
        for step, event in events.items():
            place = step % score.header.steps
            if isinstance(event, Hits):
                for piece in event.pieces:
                    found[first[stream] + PIECES[stream].index(piece), place] += 1
            elif isinstance(event, Note | Chord):
                found[rows[stream], place] += 1
    return found.ravel() / max(len(score.sections), 1)


def _players(score: Score) -> NDArray[np.float64]:
    """Each instrument's or kit's share of its stream's events."""
    found = []
    for stream in list(Stream)[1:]:
        names = KITS.get(stream) or INSTRUMENTS[stream]
        played = [getattr(event, "kit", getattr(event, "instrument", None)) for event in _events(score, stream)]
        found += [played.count(name) / max(len(played), 1) for name in names]
    return np.array(found)


def _events(score: Score, stream: Stream) -> Sequence[object]:
    return list(score.events.get(stream, {}).values())


def _touch(score: Score) -> NDArray[np.float64]:
    """Mean loudness, pitch and duration in each stream, and the shares of chord qualities."""
    found = []
    for stream in list(Stream)[1:]:
        loud = [level for event in _events(score, stream) if (level := _loudness(event)) is not None]
        found.append(np.mean(loud) if loud else 0.0)
    notes = list(sounding_notes(score))
    for stream in _PITCHED:
        own = [sound for sound in notes if sound.stream is stream]
        found.append(np.mean([min(sound.steps, 32) for sound in own]) / 8 if own else 0.0)
        pitches = [sound.event.pitch for sound in own if isinstance(sound.event, Note)]
        found += [np.mean(pitches) / 12, np.std(pitches) / 6] if pitches else [0.0, 0.0]
    qualities = [sound.event.quality for sound in notes if isinstance(sound.event, Chord)]
    found += [qualities.count(quality) / max(len(qualities), 1) for quality in Quality]
    return np.array(found, np.float64)


def _loudness(event: object) -> float | None:
    """From 0 (the softest) to 1, because the codes of velocities have another order; None if nothing sounds."""
    match event:
        case Note(velocity=velocity) | Hits(accent=velocity):
            return LOUDNESS.index(velocity) / (len(LOUDNESS) - 1)
        case Chord(velocity=velocity):
            return _CHORD_LOUDNESS.index(velocity) / (len(_CHORD_LOUDNESS) - 1)
    return None


class Classifier:
    """A multilayer perceptron with one hidden layer."""

    def __init__(self, found: Sequence[Features], labels: Sequence[str], hidden: int = 96, epochs: int = 60) -> None:
        inputs = torch.from_numpy(np.stack(found))
        self._mean, self._scale = inputs.mean(0), inputs.std(0) + 1e-3
        self._labels = sorted(set(labels))
        targets = torch.tensor([self._labels.index(label) for label in labels])
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self._network = nn.Sequential(
                nn.Dropout(0.2), nn.Linear(inputs.shape[1], hidden), nn.ReLU(), nn.Dropout(0.5),
                nn.Linear(hidden, len(self._labels)),
            )  # fmt: skip
            self._fit(self._normal(inputs), targets, epochs)
        self._network.eval()

    def _normal(self, inputs: Tensor) -> Tensor:
        return ((inputs - self._mean) / self._scale).clamp(-5, 5)

    def _fit(self, inputs: Tensor, targets: Tensor, epochs: int) -> None:
        optimizer = torch.optim.AdamW(self._network.parameters(), lr=2e-3, weight_decay=0.1)
        for _ in range(epochs):
            for batch in torch.split(torch.randperm(len(inputs)), BATCH):
                optimizer.zero_grad()
                cross_entropy(self._network(inputs[batch]), targets[batch]).backward()  # type: ignore[no-untyped-call]
                optimizer.step()

    @torch.no_grad()
    def rank(self, found: Features) -> list[str]:
        """All labels, the most likely first."""
        order = self._network(self._normal(torch.from_numpy(found)[None]))[0].argsort(descending=True)
        return [self._labels[int(place)] for place in order]


class StyleMeasure:
    """Whether the classifier recognises the requested genre and mood."""

    def __init__(self, own: Sequence[Performance]) -> None:
        self._classifiers = {}
        known = [(performance.spec, features(performance.score)) for performance in own]
        for field in ("genre", "mood"):
            said = [(getattr(spec, field), found) for spec, found in known if getattr(spec, field)]
            self._classifiers[field] = Classifier([found for _, found in said], [label for label, _ in said])

    def __call__(self, performance: Performance) -> Figures:
        found, spec, figures = features(performance.score), performance.spec, {}
        if spec.genre:
            figures["genre"] = float(self._classifiers["genre"].rank(found)[0] == spec.genre)
        if spec.mood:
            place = self._classifiers["mood"].rank(found).index(spec.mood)
            figures["mood"], figures["mood, among three"] = float(place == 0), float(place < 3)
            figures["mood, conductor"] = float(performance.score.header.mood == spec.mood)
        return figures
