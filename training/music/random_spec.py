"""Draws random specs: any subset of genre, mood, tempo, key, meter and instruments."""

import random
from dataclasses import replace

from gateway.prompts import VOCABULARY
from training.music.ensemble import BASSES, KIT_WORDS, SETS
from training.music.spec import Spec
from training.music.style import styles, usual_instruments
from worker.engine.sampler.score import METERS

_GENRES = tuple(genre.name for genre in VOCABULARY.genres)
_SOLOISTS = tuple(name for name in VOCABULARY.instruments if name not in (*SETS, "pads", "drum machine"))
_SOLO, _METER = 0.1, 0.18


def genres(level: int) -> tuple[str, ...]:
    """The names of a level's genres, the vocabulary's first."""
    return (*_GENRES, *(name for name in styles(level) if name not in _GENRES))


def draw_spec(source: random.Random, level: int = 1) -> Spec:
    """Draw a spec that states at least one property."""
    while True:
        spec = _draw(source, level)
        if spec != Spec():
            return spec


def _draw(source: random.Random, level: int) -> Spec:
    chance = source.random
    genre = source.choice(genres(level)) if chance() < 0.72 else None
    solo = chance() < _SOLO
    usual = usual_instruments(styles(level)[genre]) if genre else ()
    instruments = _solo(source) if solo else _instruments(usual, source)
    bpm = _bpm(genre, source) if chance() < 0.27 else None
    key = source.randrange(12) if chance() < 0.32 else None
    spec = Spec(
        genre=genre,
        mood=source.choice(VOCABULARY.moods) if chance() < 0.45 else None,
        tempo_word=source.choice(VOCABULARY.tempos).name if bpm is None and chance() < 0.33 else None,
        bpm=bpm,
        key=key,
        minor=None if key is None else chance() < 0.5,
        beats=_beats(genre, source) if level == 1 else None,
        instruments=instruments,
        drums=_drums(instruments, solo, source),
        bass=_bass(instruments, solo, source),
        solo=solo,
    )
    if level == 1 or chance() >= _METER:
        return spec
    beats, unit = _meter(genre, source)
    return replace(spec, beats=beats, unit=unit)


def _meter(genre: str | None, source: random.Random) -> tuple[int, int]:
    """A meter, half of the time one that the genre is used to."""
    known = tuple(styles()[genre].meters) if genre else ()
    if known and source.random() < 0.5:
        beats, unit = source.choice(known).split("/")
        return int(beats), int(unit)
    return source.choice(METERS)


def _solo(source: random.Random) -> tuple[str, ...]:
    """A solo instrument; piano, guitar, drums and choir are more likely than others."""
    return (
        source.choice((*_SOLOISTS, "piano", "piano", "piano", "acoustic guitar", "acoustic guitar", "drums", "choir")),
    )


def _instruments(usual: tuple[str, ...], source: random.Random) -> tuple[str, ...]:
    """Up to four instruments, mostly from the genre's usual ones."""
    if source.random() < 0.45:
        return ()
    count = source.choices((1, 2, 3, 4), (25, 40, 25, 10))[0]
    chosen: list[str] = []
    while len(chosen) < count:
        pool = usual if usual and source.random() < 0.6 else VOCABULARY.instruments
        name = source.choice(pool)
        if name not in chosen and not _clashes(name, chosen):
            chosen.append(name)
    return tuple(chosen)


def _clashes(name: str, chosen: list[str]) -> bool:
    """Whether the spec would have two basses, two drum kits or two percussion kits."""
    return any(name in group and set(group) & set(chosen) for group in (BASSES, KIT_WORDS, SETS))


def _bpm(genre: str | None, source: random.Random) -> int:
    """A tempo, usually in the genre's range."""
    if genre and source.random() < 0.65:
        return source.randint(*styles()[genre].bpm)
    return source.randint(40, 200)


def _beats(genre: str | None, source: random.Random) -> int | None:
    waltzes = styles()[genre].waltz if genre else 0.2
    if source.random() < 0.02 + 0.25 * waltzes:
        return 3
    return 4 if source.random() < 0.03 else None


def _drums(instruments: tuple[str, ...], solo: bool, source: random.Random) -> bool | None:
    if {*KIT_WORDS, *SETS} & set(instruments):
        return True if set(KIT_WORDS) & set(instruments) else None
    if solo:
        return None
    draw = source.random()
    return False if draw < 0.22 else True if draw < 0.32 else None


def _bass(instruments: tuple[str, ...], solo: bool, source: random.Random) -> bool | None:
    if {*BASSES, "cello"} & set(instruments):
        return True if set(BASSES) & set(instruments) else None
    if solo:
        return None
    draw = source.random()
    return False if draw < 0.12 else True if draw < 0.2 else None
