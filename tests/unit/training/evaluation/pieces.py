"""Pieces of the generator, whole and spoiled."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import torch

from tests.unit.training.music import specs
from training.evaluation.performance import Floats, Performance
from training.evaluation.playing import mastered, own_codes, play_own
from training.music import Piece, Spec, make_piece
from worker.engine.sampler.codec import SamplerCodec
from worker.engine.sampler.codes import Codes, encode
from worker.engine.sampler.score import Chord, Event, Note, Score

SILENCE: Floats = np.zeros((2, 0), np.float32)


def written(spec: Spec, seed: int = 1) -> Score:
    return specs.written(spec, seed)[1]


def unheard(spec: Spec, score: Score) -> Performance:
    return Performance(spec, own_codes(Piece("", spec, score), 30.0), SILENCE)


def heard(spec: Spec, score: Score, seconds: float = 30.0) -> Performance:
    return play_own(Piece("", spec, score), seconds)


@cache
def own_pieces(count: int) -> Sequence[Performance]:
    """Of the train split, without sound."""
    return [unheard(piece.spec, piece.score) for piece in map(make_piece, range(count))]


def played(spec: Spec, codes: Codes, seconds: float = 30.0) -> Performance:
    audio = SamplerCodec().stream(round(seconds * 32_000)).push(torch.from_numpy(codes), last=True)
    return Performance(spec, codes, mastered(audio.numpy()))


def transposed(score: Score, semitones: int, first: int = 0) -> Score:
    """Notes and chords from a step on; the conductor goes on to say what it said."""

    def moved(event: Event) -> Event:
        match event:
            case Note():
                pitch = event.pitch + semitones
                return replace(event, pitch=pitch if pitch <= 83 else pitch - 12)
            case Chord():
                return replace(event, root=(event.root + semitones) % 12)
        return event

    events = {
        stream: {step: moved(event) if step >= first else event for step, event in row.items()}
        for stream, row in score.events.items()
    }
    return replace(score, events=events)


__all__ = ["encode", "heard", "own_pieces", "played", "transposed", "unheard", "written"]
