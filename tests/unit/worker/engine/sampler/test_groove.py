from collections.abc import Iterator

import pytest

from shared.prompt.reader import read_prompt
from tests.unit.worker.engine.sampler.drawing import draw, random_wish
from worker.engine.sampler.codes import decode
from worker.engine.sampler.count_in import make_count_in
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.plan import make_plan
from worker.engine.sampler.score import Hits, Score, Section
from worker.engine.sampler.wish import Wish

BARS = 12
WHOLE = (Section.VERSE, Section.CHORUS, Section.BRIDGE)


def score_of(prompt: str, seed: int = 0, window: int | None = None) -> Score:
    wish = Wish(read_prompt(prompt), seconds=2.0 * BARS, seed=seed)
    return decode(draw([random_wish(seed)], 16 * (BARS + 1), [make_count_in(wish).limits], window)[0])


def strikes(score: Score, *pieces: str, fills: bool = False) -> Iterator[tuple[int, int]]:
    """The bars, without fills, and the places in them at which one of the pieces is struck."""
    for step, event in score.events[Stream.DRUMS].items():
        bar, place = divmod(step, 16)
        counts = fills or score.sections[bar] is not Section.FILL
        if counts and isinstance(event, Hits) and event.pieces & set(pieces):
            yield bar, place


def whole_bars(score: Score) -> set[int]:
    return {bar for bar, section in enumerate(score.sections) if section in WHOLE and bar < BARS}


@pytest.mark.parametrize("window", [None, 80])
@pytest.mark.parametrize("seed", range(3))
def test_four_on_the_floor_has_a_kick_on_every_beat(seed: int, window: int | None) -> None:
    score = score_of("four on the floor house, 120 bpm", seed, window)
    found = set(strikes(score, "kick"))
    wanted = {(bar, place) for bar in whole_bars(score) for place in (0, 4, 8, 12)}
    assert wanted
    missing = wanted - found
    # Where a window of the model ends, the drums may not know yet which section begins.
    assert len(missing) <= (0 if window is None else 2)


@pytest.mark.parametrize(
    "prompt", ["uk garage, 130 bpm", "drum and bass, 174 bpm", "house without four on the floor, 122 bpm"]
)
def test_a_broken_beat_has_no_kick_on_two_and_four(prompt: str) -> None:
    score = score_of(prompt)
    found = {place for _, place in strikes(score, "kick")}
    assert found & {0, 10}
    assert not found & {4, 12}


@pytest.mark.parametrize(("feel", "places"), [("half-time", {8}), ("double-time", {2, 6, 10, 14})])
def test_the_backbeat_follows_the_feel(feel: str, places: set[int]) -> None:
    score = score_of(f"{feel} rock, 120 bpm")
    found = set(strikes(score, "snare", "clap_or_rim"))
    assert {place for _, place in found} == places
    assert {(bar, place) for bar in whole_bars(score) for place in places} <= found


@pytest.mark.parametrize(
    ("prompt", "places"),
    [
        ("sad drill, 144 bpm", {8}),
        ("dubstep with bells, 139 bpm", {8}),
        ("reggaeton, 92 bpm", {3, 6, 11, 14}),
        ("trap, straight, 71 bpm", None),
        ("a double-time trap beat, 140 bpm", {2, 6, 10, 14}),
        ("four on the floor trap, 140 bpm", None),
    ],
)
def test_a_genre_brings_its_beat(prompt: str, places: set[int] | None) -> None:
    groove = make_plan(Wish(read_prompt(prompt))).groove
    found = groove.only_at.get("snare")
    assert (None if found is None else set(found)) == places


@pytest.mark.parametrize(
    ("prompt", "kicks"), [("techno", True), ("half-time house", False), ("trance, no kick", False)]
)
def test_some_genres_have_a_kick_on_every_beat(prompt: str, kicks: bool) -> None:
    struck = make_plan(Wish(read_prompt(prompt))).groove.struck
    assert ([place for place, pieces in struck.items() if pieces == ("kick",)] == [0, 4, 8, 12]) is kicks


@pytest.mark.parametrize(
    ("prompt", "pieces"),
    [
        ("rock, no kick", ["kick"]),
        ("trap without hi-hats", ["closed_hat", "open_hat"]),
        ("top loop", ["kick"]),
        ("only hi-hats", ["kick", "snare", "clap_or_rim", "ride", "crash"]),
    ],
)
def test_refused_pieces_are_never_struck(prompt: str, pieces: list[str]) -> None:
    score = score_of(f"{prompt}, 120 bpm")
    assert score.events[Stream.DRUMS]
    assert list(strikes(score, *pieces, fills=True)) == []


@pytest.mark.parametrize(
    ("prompt", "pieces"),
    [
        ("metal drums only", {"kick", "snare", "open_hat"}),
        ("only the kick drum", {"kick"}),
        ("claps only", {"clap_or_rim"}),
        ("drum loop in 3/4, no kick", {"snare", "open_hat"}),
    ],
)
def test_a_beat_that_plays_alone_has_more_hits_by_the_seed(prompt: str, pieces: set[str]) -> None:
    reading = read_prompt(f"{prompt}, 120 bpm")
    rules = [make_plan(Wish(reading, seed=seed)).groove.struck for seed in range(40)]
    assert {piece for struck in rules for able in struck.values() for piece in able} == pieces
    assert len({frozenset(struck.items()) for struck in rules}) >= 15
    assert all(1 <= len(struck) <= 3 for struck in rules)


def test_more_hits_are_struck_in_every_bar_and_only_in_a_beat_that_plays_alone() -> None:
    struck = make_plan(Wish(read_prompt("only the kick drum, 120 bpm"), seconds=2.0 * BARS)).groove.struck
    score = score_of("only the kick drum, 120 bpm")
    assert {(bar, place) for bar in whole_bars(score) for place in struck} <= set(strikes(score, "kick"))
    assert make_plan(Wish(read_prompt("metal, 120 bpm"))).groove.struck == {}


def test_without_drums_or_in_another_meter_a_feel_is_a_warning() -> None:
    def warnings(prompt: str) -> tuple[str, ...]:
        return make_plan(Wish(read_prompt(prompt))).warnings

    assert warnings("half-time rock") == ()
    assert warnings("half-time feel, no drums") == ("The prompt asks for half-time, but nothing plays the drums.",)
    assert warnings("half-time rock in 3/4") == ("The prompt asks for half-time, which this model plays only in 4/4.",)
