"""What a genre usually has: players, tempos, modes, moods. From repertoire.json, as in the training data or near it."""

from functools import cache
from importlib.resources import files
from typing import Annotated

import msgspec

from shared.prompt.decades import load_decades
from shared.prompt.genres import GenreTraits, load_genres
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.seats import SEATS, players_of_name, seat

# Instead of a player: the stream has none.
NO_ONE = "-"

Weights = dict[str, Annotated[float, msgspec.Meta(gt=0)]]


class Idiom(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a genre usually has.

    Attributes:
        trained_as: the genre that the model knows and that comes closest; mostly itself.
        tempo: the slowest and fastest usual tempo in quarter notes a minute.
        minor: probability of a minor key.
        swing: weights of the swings, from 0 on.
        moods: usual ones.
        major: chord progressions in Roman numerals, a chord for each bar; `in_minor` are those in minor.
        colored: whether a mood may replace progressions.
        players: the weights of each stream's players, by the stream's name in lower case.
    """

    trained_as: str = msgspec.field(name="as")
    tempo: tuple[int, int]
    minor: float
    swing: tuple[float, ...]
    moods: tuple[str, ...]
    major: tuple[str, ...]
    in_minor: tuple[str, ...]
    players: dict[str, Weights]
    colored: bool = True

    def players_in(self, stream: Stream) -> Weights:
        """The weights of a stream's players, and of `NO_ONE`."""
        return self.players[stream.name.lower()]

    def plays(self, name: str) -> bool:
        """Whether an instrument is usual in any stream; "drums" are all kits."""
        if name == "drums":
            return NO_ONE not in self.players_in(Stream.DRUMS)
        return any(name in players for players in self.players.values())


class Mood(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mood.

    Attributes:
        energy: how much it adds, -1 to 1.
        minor: probability of a minor key.
        tempo: its place in a range of tempos, from 0 (slow) to 1 (fast).
        major: chord progressions, as in `Idiom`; `in_minor` are those in minor.
    """

    energy: int
    minor: float
    tempo: float
    major: tuple[str, ...]
    in_minor: tuple[str, ...]


class Repertoire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All genres and moods by name."""

    genres: dict[str, Idiom]
    moods: dict[str, Mood]


@cache
def repertoire() -> Repertoire:
    data = files("worker.engine.sampler").joinpath("repertoire.json").read_bytes()
    return msgspec.json.decode(data, type=Repertoire)


def find_genre(name: str) -> Idiom | None:
    """A genre that the prompt's reader knows: one of the repertoire, or its parent with what marks it."""
    genres = repertoire().genres
    if name in genres:
        return genres[name]
    traits = load_genres().get(name)
    return _marked(genres[traits.parent], traits) if traits else None


def of_decade(genre: Idiom, decade: str) -> Idiom:
    """The genre with its players that the records of a decade have, in every stream that has any of them."""
    players = dict(genre.players)
    for name in load_decades()[decade].instruments:
        for stream in SEATS[name]:
            usual = genre.players_in(stream)
            found = {player: usual[player] for player in players_of_name(name, stream) if player in usual}
            if found:
                before = players[stream.name.lower()]
                players[stream.name.lower()] = found if before == usual else {**before, **found}
    return msgspec.structs.replace(genre, players=players)


def _marked(parent: Idiom, traits: GenreTraits) -> Idiom:
    """The parent with a sub-genre's tempos and instruments."""
    players = dict(parent.players)
    for stream, names in seat(traits.instruments).items():
        players[stream.name.lower()] = {player: 1 for name in names for player in players_of_name(name, stream)}
    if not traits.drums:
        players[Stream.DRUMS.name.lower()] = {NO_ONE: 1}
    minor = {"minor": 1.0, "major": 0.0}.get(traits.mode or "", parent.minor)
    return msgspec.structs.replace(parent, players=players, tempo=traits.bpm, minor=minor)
