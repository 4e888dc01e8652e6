"""Makes a plan of a piece: what the recipe states, and, drawn by its seed, what the recipe leaves open.

So takes of one prompt differ in key, tempo, mood and players where the prompt does not state them, and the model, which
is sure of what fits a caption, does not choose the same again.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from shared.music import Key, bar_quarters
from shared.prompt.decades import load_decades
from shared.prompt.genres import load_genres
from shared.prompt.reading import Reading
from worker.engine.sampler.caption import write_caption
from worker.engine.sampler.casting import Cast, cast
from worker.engine.sampler.codes import QUALITIES
from worker.engine.sampler.degrees import Degree, progression
from worker.engine.sampler.form import count_bars, form_warnings, make_form
from worker.engine.sampler.groove import Groove, groove_warnings, make_groove, vary
from worker.engine.sampler.instruments import CRACKLE, HIT_STREAMS, Stream
from worker.engine.sampler.pace import choose_meter, choose_tempo, has_tempo, pace_warnings
from worker.engine.sampler.repertoire import Idiom, Mood, find_genre, of_decade, repertoire
from worker.engine.sampler.score import STEPS_PER_BEAT, Section
from worker.engine.sampler.seats import SEATS
from worker.engine.sampler.wish import Wish

# Tonics that players like; a prompt names any.
_TONICS = {False: (0, 7, 2, 5, 9, 4), True: (9, 4, 2, 0, 7, 11)}
# Genres for a prompt that names none, and for one whose instruments no genre has.
_USUAL = ("pop", "rock", "electronic", "soul", "folk", "hip hop", "cinematic", "funk", "lo-fi hip hop", "house")
_BY_HAND = ("pop", "folk", "jazz", "cinematic", "blues", "latin", "soul")
_WALTZES = ("classical", "folk", "country", "jazz", "orchestral", "cinematic")
# Share of the takes that have a mood although the prompt names none.
_MOODY = 0.6
# Share of the takes with a mood whose chords are the mood's.
_COLORED = 0.6
# How far a mood's probability of a minor key may be from a mode that it goes with.
_OF_MODE = 0.75
# Bars of sections with the whole band for which a part may rest: one of these, and another one.
_LEADING = (Stream.BASS, Stream.LEAD, Stream.DRUMS)
_LEADING_REST, _OTHERS_REST = 2, 4
# Bars by which those who are named, and those who complete the band, play in a piece with time for an intro.
_NAMED_BY, _OTHERS_BY = 4, 8
_SWINGS = {"straight": 0, "swing": 2, "shuffle": 2}
# Sections of which a piece without a part of its form has none.
_REFUSED = {
    "intro": (Section.INTRO,),
    "outro": (Section.OUTRO,),
    "bridge": (Section.BRIDGE,),
    "break": (Section.BREAK,),
    "build": (Section.BUILD,),
    "drop": (Section.BREAK, Section.BUILD),
    "fills": (Section.FILL,),
}
_LEVELS = {"low": -1, "medium": 0, "high": 1}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is settled of a piece before its first note.

    Attributes:
        tempo: in quarter notes a minute, exact.
        meter: such as 3/4.
        swing: see `Header`.
        key: see `Key`.
        mood: one of `MOODS`, or None.
        progression: the chord of each bar, from the first one on, again and again.
        cast: the players.
        deadlines: the bar, from 0, by whose first beat a stream has played.
        rests: the bars of sections with the whole band for which a stream may rest.
        form: the sections of bars, from 0; the model chooses those of the others.
        groove: the rules of the beat.
        unwanted: sections that the piece does not have.
        caption: for the model's text encoder.
        warnings: a sentence for each statement that the piece does not follow.
    """

    tempo: Fraction
    meter: str
    swing: int
    key: Key
    mood: str | None
    progression: tuple[Degree, ...]
    cast: Cast
    deadlines: Mapping[Stream, int]
    rests: Mapping[Stream, int]
    form: Mapping[int, Section]
    groove: Groove
    unwanted: frozenset[Section]
    caption: str
    warnings: tuple[str, ...]

    @property
    def beats(self) -> Fraction:
        """Quarter notes a bar."""
        return bar_quarters(self.meter)


def make_plan(wish: Wish, level: int = 1) -> Plan:
    """Plan a piece for a model that writes scores of a level."""
    source = random.Random(wish.seed)  # noqa: S311
    reading = wish.reading
    genre, is_stated = choose_genre(reading, source)
    key, mood = _key_and_mood(reading, genre, source)
    tempo = choose_tempo(reading, genre, repertoire().moods[mood] if mood else None, source)
    meter = choose_meter(reading, level)
    players = cast(reading, genre, source, stated=is_stated, given=wish.given)
    bar = 60 * bar_quarters(meter) / tempo
    bars = count_bars(wish.seconds, bar)
    form = make_form(reading.sections, bars, bar, level=level, begins_at_once=wish.begins_at_once, source=source)
    steps = int(bar_quarters(meter) * STEPS_PER_BEAT)
    groove = make_groove(reading, steps, tempo)
    return Plan(
        tempo=tempo,
        meter=meter,
        swing=_swing(wish, genre, source),
        key=key,
        mood=mood,
        progression=_progression(genre, mood, key, level, source),
        cast=players,
        deadlines=_deadlines(players, wish, bar),
        rests=_rests(players, wish),
        form=form,
        groove=vary(groove, steps, source) if players.is_beat else groove,
        unwanted=_unwanted(wish),
        caption=_caption(wish, genre, tempo, meter, key, mood),
        warnings=(
            *wish.warnings,
            *pace_warnings(reading, meter),
            *form_warnings(reading.sections, bars, bar),
            *groove_warnings(reading, groove, drums=players.players[Stream.DRUMS] != (None,)),
            *_decade_warnings(reading, genre),
            *_sharing(players),
        ),
    )


def choose_genre(reading: Reading, source: random.Random) -> tuple[Idiom, bool]:
    """The genre, and whether the prompt states it, by its name or its decade."""
    decade = load_decades()[reading.decade] if reading.decade else None
    known = find_genre(reading.genre or (decade.genre if decade and not reading.instruments else ""))
    genre = known or repertoire().genres[_fitting_genre(reading, source)]
    return of_decade(genre, reading.decade) if reading.decade else genre, known is not None


def _decade_warnings(reading: Reading, genre: Idiom) -> Iterator[str]:
    """A sentence if a genre sounds the same in the decade that the prompt names."""
    if reading.decade and reading.genre and genre == find_genre(reading.genre):
        yield f"The {reading.decade} change nothing about {reading.genre} in this model's bands."


def _fitting_genre(reading: Reading, source: random.Random) -> str:
    """A genre that has the named instruments, or else the mood."""
    genres = repertoire().genres
    # No sub-genres: a client who wants a samba or a marching band says so.
    general = {name: genre for name, genre in genres.items() if load_genres()[name].parent == name}
    able = [name for name, genre in general.items() if _may_be(name, genre, reading)]
    able = [name for name in able if has_tempo(genres[name], reading)] or able or list(_BY_HAND)
    if not reading.instruments:
        fitting = [name for name in able if set(genres[name].moods) & set(reading.moods)]
        return source.choice(fitting or [name for name in _USUAL if name in able] or able)
    fits = {name: sum(genres[name].plays(each) for each in reading.instruments) for name in able}
    best = max(fits.values())
    known = [name for name, fit in fits.items() if fit == best] if best else list(_BY_HAND)
    return source.choice(known)


def _may_be(name: str, genre: Idiom, reading: Reading) -> bool:
    """Whether the prompt does not refuse a genre, nor what it lives on, and its meter is the prompt's."""
    if name in reading.refused:
        return False
    beaten = "-" not in genre.players_in(Stream.DRUMS)
    return not (beaten and "drums" in reading.refused) and (reading.meter != "3/4" or name in _WALTZES)


def _key_and_mood(reading: Reading, genre: Idiom, source: random.Random) -> tuple[Key, str | None]:
    """The key and the mood, which agree about the mode as far as the prompt does not state both."""
    moods = repertoire().moods
    mood = source.choice(reading.moods) if reading.moods else None
    minor = _is_minor(reading, moods[mood] if mood else None, genre, source)
    if mood is None and (source.random() < _MOODY or reading.energy or _only_hits(reading)):
        mood = _fitting_mood(reading, genre, minor, source)
    tonic = source.choice(_TONICS[minor] if source.random() < 0.8 else range(12))
    return reading.key or Key(tonic, minor), mood


def _is_minor(reading: Reading, mood: Mood | None, genre: Idiom, source: random.Random) -> bool:
    if reading.key is not None:
        return reading.key.minor
    if reading.mode is not None:
        return reading.mode == "minor"
    return source.random() < (0.9 * mood.minor + 0.1 * genre.minor if mood else genre.minor)


def _fitting_mood(reading: Reading, genre: Idiom, minor: bool, source: random.Random) -> str | None:
    """A mood with the stated energy that is usual in the genre and in the mode."""
    level = _LEVELS.get(reading.energy or "")
    moods = {name: mood for name, mood in repertoire().moods.items() if abs(mood.minor - minor) <= _OF_MODE}
    if level is not None:
        moods = {name: mood for name, mood in moods.items() if mood.energy == level}
    moods = {name: mood for name, mood in moods.items() if name not in reading.refused}
    usual = [name for name in genre.moods if name in moods]
    return source.choice(usual or (sorted(moods) if level is not None else []) or [None])


def _progression(genre: Idiom, mood: str | None, key: Key, level: int, source: random.Random) -> tuple[Degree, ...]:
    """The genre's chords, or the mood's if they fit the genre."""
    takes_mood = mood is not None and genre.colored and source.random() < _COLORED
    owner = repertoire().moods[mood] if mood is not None and takes_mood else genre
    known = [progression(each) for each in (owner.in_minor if key.minor else owner.major)]
    able = [bars for bars in known if level > 1 or all(chord.quality < QUALITIES for bar in bars for chord in bar)]
    return tuple(chord for (chord,) in source.choice(able))


def _swing(wish: Wish, genre: Idiom, source: random.Random) -> int:
    drawn = source.choices(range(len(genre.swing)), genre.swing)[0]
    return _SWINGS.get(wish.reading.feel or "", drawn) if wish.swing is None else wish.swing


def _rests(players: Cast, wish: Wish) -> dict[Stream, int]:
    """For the streams that certainly have a player. Crackle does not rest: it is switched on once and goes on."""
    certain = (
        stream
        for stream, found in players.players.items()
        if not {None, CRACKLE} & set(found) and stream not in wish.given
    )
    return {stream: _LEADING_REST if stream in _LEADING else _OTHERS_REST for stream in certain}


def _deadlines(players: Cast, wish: Wish, bar: Fraction) -> dict[Stream, int]:
    """All begin a short piece: those that enter within a phrase find no melody to go on with, and hold one note.

    A long one has time to build up.
    """
    half = int(wish.seconds / bar) // 2
    certain = [s for s, found in players.players.items() if None not in found and s not in wish.given]
    if wish.begins_at_once:
        return dict.fromkeys(certain, 0)
    named, others = min(_NAMED_BY, half), min(_OTHERS_BY, half)
    return {stream: named if stream in players.named else others for stream in certain}


def _unwanted(wish: Wish) -> frozenset[Section]:
    """What the prompt refuses; a piece of bars has an intro and an outro only on request."""
    reading = wish.reading
    sections = {Section.INTRO: reading.intro, Section.OUTRO: reading.outro} if wish.is_on_grid else {}
    refused = {section for name in reading.refused for section in _REFUSED.get(name, ())}
    return frozenset(refused | {section for section, asked in sections.items() if not asked})


def _only_hits(reading: Reading) -> bool:
    streams = [stream for name in reading.instruments for stream in SEATS.get(name, ())]
    return bool(streams) and set(streams) <= set(HIT_STREAMS)


def _sharing(players: Cast) -> Iterator[str]:
    """A warning for each part with several of the named instruments."""
    for *others, last in players.shared:
        names = f"{', '.join(f'the {name}' for name in others)} and the {last}"
        yield f"{names[0].upper()}{names[1:]} share one part: they take turns, or one of them is not heard."


def _caption(wish: Wish, genre: Idiom, tempo: Fraction, meter: str, key: Key, mood: str | None) -> str:
    """The plan in words; the client's words if the reader has understood none of them."""
    reading = wish.reading
    if not wish.is_understood:
        return reading.words
    # Drums alone play the beat of a genre, and takes differ in it.
    has_style = not reading.only or _only_hits(reading)
    return write_caption(
        genre=genre.trained_as if reading.genre or has_style else None,
        mood=mood,
        tempo=tempo,
        key=key,
        meter=meter,
        instruments=[*filter(None, wish.given.values()), *(name for name in reading.instruments if name in SEATS)],
        alone=reading.only,
        refused=reading.refused,
    )
