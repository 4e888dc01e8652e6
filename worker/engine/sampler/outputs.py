"""What comes with a score's audio: its music, a MIDI file and stems, which cover exactly the audio."""

import math
from collections.abc import Callable, Collection, Iterator
from fractions import Fraction
from itertools import islice

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from shared.edits import Composed
from shared.files import OutputKind
from shared.music import Music
from shared.prompt.reading import Reading
from worker.engine.interface import Midi, Stem
from worker.engine.sampler.band import PLAYED, RING_OUT, TAIL_BLOCK, Band
from worker.engine.sampler.bank import Bank, default_bank
from worker.engine.sampler.clock import Clock
from worker.engine.sampler.codes import Codes, decode
from worker.engine.sampler.conductor import Conductor
from worker.engine.sampler.description import describe
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.midi import midi
from worker.engine.sampler.mixing import Rooms
from worker.engine.sampler.parts import parts_of
from worker.engine.sampler.revoicing import alone
from worker.engine.sampler.splice import Piece, Splice
from worker.engine.sampler.stored_score import store_score
from worker.engine.sampler.width import with_sides

Floats = NDArray[np.float32]


def stems(
    codes: Codes,
    samples: int,
    tempo: Fraction | None = None,
    *,
    tail: int = 0,
    first_step: int = 0,
    on_step: Callable[[], None] = lambda: None,
    bank: Bank | None = None,
) -> dict[Stream, Floats]:
    """Render every stream alone. The stems sum to the mix, because all effects are linear.

    Args:
        codes: integers of shape [8, steps]; invalid codes count as "no event".
        samples: their length, without the tail.
        tempo: see `Clock`.
        tail: samples of a loop that follow its end.
        first_step: see `Clock`.
        on_step: called at every step; exceptions it raises abort the work.
        bank: the bank of samples; None is the one in this package.

    Returns:
        float32 of shape [2, samples + tail] by stream, silent streams included.
    """
    band = Band(default_bank() if bank is None else bank, tempo, first_step)
    rooms = [Rooms() for _ in PLAYED]
    parts: list[list[Floats]] = [[] for _ in PLAYED]
    for dry in _dry(codes, band, tail):
        on_step()
        for sound, sends, own, part in zip(dry, band.sends.T, rooms, parts, strict=True):
            part.append(with_sides(sound + own.push(send * sound for send in sends), band.sides))
    # Concatenate one at a time, because two minutes of all stems are 200 MB.
    return {stream: _fitted(np.concatenate(parts.pop(0), axis=1), samples + tail) for stream in PLAYED}


def _dry(codes: Codes, band: Band, tail: int) -> Iterator[Floats]:
    for column in codes.T:
        yield band.play(column)
    if tail:
        yield from islice(band.tail(), math.ceil(tail / TAIL_BLOCK))
    else:
        band.stop()
        yield band.ring(RING_OUT)


def make_outputs(
    codes: Codes,
    wanted: Collection[OutputKind],
    samples: int,
    tempo: Fraction | None = None,
    *,
    reading: Reading | None = None,
    caption: str = "",
    composed: Composed | None = None,
    tail: int = 0,
    first_step: int = 0,
    splice: Splice | None = None,
    only: frozenset[Stream] = frozenset(),
    on_step: Callable[[], None],
) -> Iterator[Music | Midi | Stem]:
    """Yield the music, and each output as soon as it is ready, without silent stems.

    Args:
        codes: the score, integers of shape [8, steps]; steps after the end of the audio are ignored.
        wanted: the outputs to make.
        samples: length of the audio.
        tempo: see `Clock`.
        reading: see `describe`.
        caption: the words that the model was given.
        composed: of a child.
        tail: samples of a loop that follow its end.
        first_step: see `Clock`.
        splice: continues the stems of a child with its parent's.
        only: the streams that are heard; empty means all. Such a take stores no score: its parent has the whole one.
        on_step: called at every step; exceptions it raises abort the work.
    """
    codes = cut(codes, samples, tempo, first_step)
    shown = alone(codes, only) if only else codes
    music = describe(shown, samples, tempo, reading)
    exact = Fraction(music.bpm or 0) if tempo is None else tempo
    stored = store_score(codes, exact, samples, caption=caption, first_step=first_step)
    yield replace(music, score=None if only else stored, composed=composed)
    if "midi" in wanted:
        yield Midi(midi(shown, tempo, samples))
    if "stems" in wanted:
        parts = parts_of(decode(codes))
        found = stems(codes, samples, tempo, tail=tail, first_step=first_step, on_step=on_step)
        if splice is not None:
            splice.apply_all(found, lambda old: _stems_of(old, on_step))
        for stream in list(found):
            sound = found.pop(stream)
            if sound.any() and (not only or stream in only):
                part = parts[stream]
                yield Stem(part.name.replace(" ", "_"), sound.T, part.instruments[0])


def _stems_of(piece: Piece, on_step: Callable[[], None]) -> dict[Stream, Floats]:
    return stems(piece.codes, piece.samples, piece.tempo, first_step=piece.first_step, on_step=on_step)


def cut(codes: Codes, samples: int, tempo: Fraction | None = None, first_step: int = 0) -> Codes:
    """The codes of the steps that begin within the first `samples` of the audio."""
    conductor, clock = Conductor(), Clock(tempo, first_step)
    begin = clock.position
    for step, code in enumerate(codes[Stream.CONDUCTOR]):
        if clock.position - begin >= samples:
            return codes[:, :step]
        conductor.read(int(code))
        if not conductor.counts_in:
            clock.advance(conductor.header)
    return codes


def _fitted(sound: Floats, samples: int) -> Floats:
    """Pad with silence or cut to float32 of shape [2, samples]."""
    missing = max(samples - sound.shape[1], 0)
    return np.pad(sound, ((0, 0), (0, missing)))[:, :samples]
