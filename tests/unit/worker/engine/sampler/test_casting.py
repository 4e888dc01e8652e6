import random
from collections import Counter

import pytest

from shared.prompt.genres import load_genres
from shared.prompt.reading import Reading
from worker.engine.sampler.casting import HARMONIC, Cast, cast
from worker.engine.sampler.instruments import PLAYERS, Stream
from worker.engine.sampler.repertoire import NO_ONE, find_genre, repertoire

SEEDS = range(30)


def casts(reading: Reading, genre: str, *, stated: bool = True) -> list[Cast]:
    return [cast(reading, repertoire().genres[genre], random.Random(seed), stated=stated) for seed in SEEDS]


def test_the_repertoire_has_only_players_of_its_streams() -> None:
    for genre in repertoire().genres.values():
        assert repertoire().genres[genre.trained_as].trained_as == genre.trained_as
        assert set(genre.moods) <= set(repertoire().moods)
        for stream in PLAYERS:
            assert set(genre.players_in(stream)) <= {NO_ONE, *PLAYERS[stream]}


def test_every_genre_of_the_reader_has_a_band() -> None:
    for name, traits in load_genres().items():
        genre = find_genre(name)
        assert genre is not None
        assert genre.trained_as in repertoire().genres
        reading = Reading(genre=name)
        players = cast(reading, genre, random.Random(0), stated=True).players
        assert any(players[stream] != (None,) for stream in PLAYERS), traits
    assert find_genre("no such genre") is None


def test_a_sub_genre_has_its_own_tempos_and_instruments() -> None:
    polka = find_genre("polka")
    assert polka is not None
    assert (polka.trained_as, polka.tempo) == ("folk", load_genres()["polka"].bpm)
    assert set(polka.players_in(Stream.CHORDS)) == {"brass"}


@pytest.mark.parametrize("genre", ["house", "rock", "jazz", "trap", "funk"])
@pytest.mark.parametrize("stated", [True, False])
def test_named_instruments_join_a_band_with_bass_drums_lead_and_chords(genre: str, stated: bool) -> None:
    for found in casts(Reading(genre=genre, instruments=("strings", "flute")), genre, stated=stated):
        players = found.players
        assert "strings" in players[Stream.PAD]
        assert "flute" in players[Stream.LEAD]
        assert None not in {*players[Stream.BASS], *players[Stream.DRUMS]}
        assert found.named == {Stream.PAD, Stream.LEAD}


@pytest.mark.parametrize("genre", sorted(repertoire().genres))
def test_every_band_has_chords(genre: str) -> None:
    for found in casts(Reading(genre=genre), genre):
        assert any(found.players[stream] != (None,) for stream in HARMONIC)


def test_only_excludes_all_others_but_lets_them_play_a_second_part() -> None:
    (found, *_) = casts(Reading(instruments=("piano", "double bass"), only=True), "jazz")
    assert {player for players in found.players.values() for player in players} == {None, "piano", "double bass"}
    assert found.players[Stream.CHORDS] == ("piano",)
    assert found.players[Stream.BASS] == ("double bass",)
    assert found.players[Stream.DRUMS] == (None,)
    assert set(found.players) == set(PLAYERS)


@pytest.mark.parametrize("refused", ["drums", "bass", "piano", "vocals", "synthesizer", "strings"])
@pytest.mark.parametrize("genre", ["house", "gospel", "pop", "classical", "trailer"])
def test_what_is_refused_never_plays(refused: str, genre: str) -> None:
    kinds = {
        "drums": {(Stream.DRUMS, kit) for kit in PLAYERS[Stream.DRUMS]} | {(Stream.PERCUSSION, "percussion")},
        "bass": {(Stream.BASS, player) for player in PLAYERS[Stream.BASS]},
        "vocals": {(Stream.PAD, "choir")},
    }
    others = {(stream, refused) for stream in PLAYERS}
    reading = Reading(genre=genre, instruments=("organ",), refused=frozenset({refused}))
    for found in casts(reading, genre):
        chosen = {(stream, player) for stream, players in found.players.items() for player in players}
        assert not chosen & kinds.get(refused, others)
        assert "organ" in {player for _, player in chosen}


def test_without_bass_a_cello_does_not_play_it() -> None:
    (found, *_) = casts(Reading(instruments=("cello",), refused=frozenset({"bass"})), "folk")
    assert found.players[Stream.PAD] == ("cello",)
    assert found.players[Stream.BASS] == (None,)


def test_a_word_for_several_means_one_that_is_usual_in_the_genre() -> None:
    kits = {found.players[Stream.DRUMS] for found in casts(Reading(instruments=("drums",)), "jazz")}
    assert kits == {("brushes",), ("acoustic",)}
    kits = {found.players[Stream.DRUMS] for found in casts(Reading(instruments=("drums",)), "house")}
    assert kits == {("electronic",)}


def test_takes_differ_in_their_players() -> None:
    found = Counter(tuple(each.players.items()) for each in casts(Reading(genre="pop"), "pop"))
    assert len(found) > 20


def test_instruments_that_share_a_stream_are_told() -> None:
    (found, *_) = casts(Reading(instruments=("double bass", "bass guitar", "choir")), "jazz")
    assert found.shared == (("double bass", "bass guitar"),)
