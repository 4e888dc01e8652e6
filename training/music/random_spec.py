"""Draws random specs: any subset of genre, mood, tempo, key, meter and instruments."""

import random

from gateway.prompts import VOCABULARY
from training.music.ensemble import BASSES, KIT_WORDS, SETS
from training.music.spec import Spec
from training.music.style import styles

_GENRES = tuple(genre for genre in VOCABULARY.genres)
_SOLOISTS = tuple(name for name in VOCABULARY.instruments if name not in (*SETS, "pads", "drum machine"))
_SOLO, _BEATS_ALONE, _PLAYERS_ONLY = 0.1, 0.015, 0.05


def draw_spec(source: random.Random) -> Spec:
    """Draw a spec that states at least one property."""
    while True:
        spec = _draw(source)
        if spec != Spec():
            return spec


def _draw(source: random.Random) -> Spec:
    chance = source.random
    genre = source.choice([genre for genre in _GENRES if genre.name in styles()]) if chance() < 0.72 else None
    solo = chance() < _SOLO
    instruments = _solo(source) if solo else _instruments(genre.instruments if genre else (), source)
    bpm = _bpm(genre.name if genre else None, source) if chance() < 0.27 else None
    key = source.randrange(12) if chance() < 0.32 else None
    return Spec(
        genre=genre.name if genre else None,
        mood=source.choice(VOCABULARY.moods) if chance() < 0.45 else None,
        tempo_word=source.choice(VOCABULARY.tempos).name if bpm is None and chance() < 0.33 else None,
        bpm=bpm,
        key=key,
        minor=None if key is None else chance() < 0.5,
        beats=_beats(genre.name if genre else None, source),
        instruments=instruments,
        drums=_drums(instruments, solo, source),
        bass=_bass(instruments, solo, source),
        solo=solo,
    )


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
