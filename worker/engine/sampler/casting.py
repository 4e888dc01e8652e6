"""Casts a piece: which players each stream may have. Named instruments are included, refused ones never play.

"with X and Y" includes them in a band that the genre completes; "only X" excludes all others.
"""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shared.prompt.reading import Reading
from worker.engine.sampler.instruments import HIT_STREAMS, PLAYERS, Stream
from worker.engine.sampler.repertoire import NO_ONE, Idiom, Weights
from worker.engine.sampler.seats import PARTS, SEATS, is_refused, players_of_name, seat

HARMONIC = (Stream.CHORDS, Stream.PAD, Stream.ARPEGGIO)
# What completes a band whose genre is not stated; a genre has more.
_CORE = (Stream.BASS, Stream.LEAD, Stream.DRUMS)
# What sparse music does without, if the genre sometimes does.
_OPTIONAL = (Stream.PAD, Stream.ARPEGGIO, Stream.PERCUSSION)

Players = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Cast:
    """The players of a piece.

    Attributes:
        players: of every stream, those that it may have; None is no player.
        named: the streams of instruments that the prompt names.
        shared: the names that share a stream, for each stream that is shared.
    """

    players: Mapping[Stream, Players]
    named: frozenset[Stream] = frozenset()
    shared: tuple[tuple[str, ...], ...] = ()

    @property
    def is_beat(self) -> bool:
        """Whether nothing but drums and percussion plays."""
        return all(found == (None,) for stream, found in self.players.items() if stream not in HIT_STREAMS)


def cast(
    reading: Reading,
    genre: Idiom,
    source: random.Random,
    *,
    stated: bool,
    given: Mapping[Stream, str | None] = MappingProxyType({}),
) -> Cast:
    """Choose the players.

    Args:
        reading: the instruments.
        genre: completes the band.
        source: draws what the prompt leaves open.
        stated: whether the prompt names the genre.
        given: the players of streams that have theirs already; None is no player.
    """
    names = [name for name in reading.instruments if name in SEATS and name not in reading.refused]
    closed = set(given) | ({Stream.BASS} if "bass" in reading.refused else set())
    closed |= {Stream.DRUMS, Stream.PERCUSSION} if "drums" in reading.refused else set()
    seated = seat(names, frozenset(closed))
    seated = {stream: found for stream, found in seated.items() if stream not in given}
    players = {stream: _named(found, stream, genre, source) for stream, found in seated.items()}
    players |= {stream: (player,) for stream, player in given.items()}
    parts = frozenset(PARTS[part] for part in reading.parts if part not in reading.refused) - set(given)
    if reading.only and names:
        players |= {stream: _doubles(names, stream, reading) for stream in PLAYERS if stream not in players}
    elif reading.only and parts:
        players |= dict.fromkeys(PLAYERS, (None,))
    else:
        players |= _complete(players, reading, genre, source, stated=stated)
    if reading.only:
        # "just the melody on a flute" needs no other player.
        parts = frozenset(part for part in parts if not any(part in SEATS[name] for name in names))
    players |= {part: _part(part, reading, genre, source) for part in parts if None in players[part]}
    shared = tuple(found for found in seated.values() if len(found) > 1)
    return Cast(dict(sorted(players.items())), frozenset(seated) | parts & set(players), shared)


def _part(stream: Stream, reading: Reading, genre: Idiom, source: random.Random) -> Players:
    """A player for a part that the prompt asks for: the genre's usual one, or else any that the prompt allows."""
    usual = _someone(_usual(stream, reading, genre, ()))
    able = [player for player in PLAYERS[stream] if not is_refused(player, stream, reading.refused)]
    return (_draw(usual or dict.fromkeys(able, 1.0), source),) if usual or able else (None,)


def _named(names: Iterable[str], stream: Stream, genre: Idiom, source: random.Random) -> Players:
    """A player for each name; of several that it may mean, one that is usual in the genre."""
    found: dict[str, None] = {}
    for name in names:
        known = players_of_name(name, stream)
        if name == "drums" and set(genre.players_in(stream)) == {"electronic"}:
            known = ("electronic",)
        usual = {player: weight for player, weight in genre.players_in(stream).items() if player in known}
        found[_draw(usual or dict.fromkeys(known, 1.0), source)] = None
    return tuple(found)


def _doubles(names: Iterable[str], stream: Stream, reading: Reading) -> Players:
    """What may play in another stream of a soloist, such as a piano's left hand: the model decides."""
    able = [name for name in names if stream in SEATS[name] and not is_refused(name, stream, reading.refused)]
    return (None, *(player for name in able for player in players_of_name(name, stream)))


def _complete(
    players: Mapping[Stream, Players], reading: Reading, genre: Idiom, source: random.Random, *, stated: bool
) -> dict[Stream, Players]:
    """The players of the streams that the prompt leaves open."""
    known = {player for found in players.values() for player in found}
    chosen: dict[Stream, Players] = {}
    usual = {stream: _usual(stream, reading, genre, known) for stream in PLAYERS if stream not in players}
    for stream, weights in usual.items():
        player = _draw(_by_energy(stream, weights, reading), source)
        wanted = stated or not known or stream in _CORE
        chosen[stream] = (player if wanted and player != NO_ONE else None,)
    if not any(({**players, **chosen}[stream]) != (None,) for stream in HARMONIC):
        able = {stream: weights for stream in HARMONIC if (weights := _someone(usual.get(stream, {})))}
        if able:
            stream = source.choice(sorted(able))
            chosen[stream] = (_draw(able[stream], source),)
    return chosen


def _usual(stream: Stream, reading: Reading, genre: Idiom, known: Iterable[str | None]) -> Weights:
    """The weights of a genre's players that are not refused; those that the prompt names elsewhere only if alone."""
    able = {
        player: weight
        for player, weight in genre.players_in(stream).items()
        if player == NO_ONE or not is_refused(player, stream, reading.refused)
    }
    others = {player: weight for player, weight in able.items() if player not in set(known)}
    return (others if _someone(others) else able) or {NO_ONE: 1.0}


def _by_energy(stream: Stream, weights: Weights, reading: Reading) -> Weights:
    """Sparse music leaves out what a band can do without; dense music leaves out nothing that the genre has."""
    if reading.energy == "high":
        return _someone(weights) or weights
    can_rest = stream in _OPTIONAL and NO_ONE in weights
    return {NO_ONE: 1.0} if reading.energy == "low" and can_rest else weights


def _someone(weights: Weights) -> Weights:
    return {player: weight for player, weight in weights.items() if player != NO_ONE}


def _draw(weights: Mapping[str, float], source: random.Random) -> str:
    return source.choices(list(weights), list(weights.values()))[0]
