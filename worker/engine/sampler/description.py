"""Describes the music that was played."""

from fractions import Fraction

from shared.music import Key, Music, SectionStart
from shared.prompt.reading import Reading
from worker.engine.sampler.clock import SAMPLE_RATE, step_length
from worker.engine.sampler.codes import Codes, decode
from worker.engine.sampler.parts import parts_of
from worker.engine.sampler.score import Score


def describe(codes: Codes, samples: int, tempo: Fraction | None = None, reading: Reading | None = None) -> Music:
    """What a piece consists of.

    Args:
        codes: the steps that begin within the audio, integers of shape [8, steps].
        samples: the length of the audio, without the tail of a loop.
        tempo: see `Clock`.
        reading: of the prompt that it was played for; None without a prompt.
    """
    score = decode(codes)
    header = score.header
    exact = Fraction(header.bpm) if tempo is None else tempo
    bar = header.steps * step_length(exact)
    bars = round(samples / bar)
    return Music(
        bpm=float(exact),
        key=Key(header.key, header.minor).name,
        meter=header.meter,
        bars=bars if bars and round(bars * bar) == samples else None,
        sections=_sections(score, bar),
        instruments=tuple(each for part in parts_of(score).values() for each in part.instruments),
        understood=reading.understood if reading else None,
        ignored=reading.ignored if reading else None,
        ignored_because=reading.ignored_because if reading else None,
    )


def _sections(score: Score, bar: Fraction) -> tuple[SectionStart, ...]:
    """One for each change of the section."""
    befores = (None, *score.sections)
    return tuple(
        SectionStart(name=section.name.lower(), bar=index + 1, start=float(index * bar / SAMPLE_RATE))
        for index, (before, section) in enumerate(zip(befores, score.sections, strict=False))
        if section is not before
    )
