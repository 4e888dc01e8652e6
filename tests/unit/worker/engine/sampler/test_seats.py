import pytest

from worker.engine.sampler.instruments import KITS, PLAYERS, Stream
from worker.engine.sampler.seats import SEATS, is_refused, players_of_name, seat

B, C, P, A, L, D, R = list(Stream)[1:]


def test_every_name_has_a_player_in_all_of_its_streams() -> None:
    for name, seats in SEATS.items():
        assert list(seat([name])) == [seats[0]]
        for stream in seats:
            assert players_of_name(name, stream)


@pytest.mark.parametrize(
    ("names", "seated"),
    [
        (("drum machine", "synth bass"), {D: ("drum machine",), B: ("synth bass",)}),
        (("violin", "flute"), {L: ("violin",), P: ("flute",)}),
        (("flute", "trumpet"), {L: ("trumpet",), P: ("flute",)}),
        (("strings", "choir", "pads"), {P: ("choir", "pads"), A: ("strings",)}),
        (("organ", "choir", "piano", "acoustic guitar"), {C: ("organ",), P: ("choir",), A: ("acoustic guitar",)}),
        (("congas", "timpani"), {R: ("congas",), B: ("timpani",)}),
        (("bass", "synth bass"), {B: ("synth bass",)}),
        (("double bass", "bass guitar"), {B: ("double bass", "bass guitar")}),
    ],
)
def test_names_have_a_stream_each_while_there_are_streams(
    names: tuple[str, ...], seated: dict[Stream, tuple[str, ...]]
) -> None:
    found = seat(names)
    assert {stream: found[stream] for stream in seated} == seated


def test_the_most_fitting_stream_is_taken_first() -> None:
    assert [next(iter(seat([name]))) for name in ("piano", "strings", "synthesizer")] == [C, P, L]


def test_closed_streams_are_avoided() -> None:
    assert seat(["cello"], frozenset({B})) == {P: ("cello",)}
    assert seat(["timpani"], frozenset({D, R})) == {B: ("timpani",)}
    assert seat(["vinyl crackle"], frozenset({D, R})) == {R: ("vinyl crackle",)}


def test_drums_are_any_kit_but_the_electronic_one() -> None:
    assert players_of_name("drums", D) == ("acoustic", "brushes", "hard", "lofi")
    assert players_of_name("drum machine", D) == ("electronic",)


@pytest.mark.parametrize(
    ("refused", "players"),
    [
        ("drums", {(D, kit) for kit in KITS[D]} | {(R, kit) for kit in KITS[R] if kit != "vinyl crackle"}),
        ("bass", {(B, player) for player in PLAYERS[B]}),
        ("vocals", {(P, "choir")}),
        ("piano", {(stream, "piano") for stream in (B, C, P, A, L)}),
        ("drum machine", {(D, "electronic"), (R, "electronic")}),
        ("guitars", set()),
    ],
)
def test_a_refusal_excludes_all_of_a_kind(refused: str, players: set[tuple[Stream, str]]) -> None:
    everyone = [(stream, player) for stream, found in PLAYERS.items() for player in found]
    assert {each for each in everyone if is_refused(each[1], each[0], frozenset({refused}))} == players
