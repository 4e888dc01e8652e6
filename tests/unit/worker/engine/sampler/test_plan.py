from fractions import Fraction

import pytest

from shared.messages import Recipe
from shared.music import Key
from shared.prompt.reading import Reading
from tests.unit.worker.engine.sampler.drawing import draw, random_wish, scripted
from tests.unit.worker.engine.sampler.songs import POP, song
from worker.engine.sampler.codes import decode, encode
from worker.engine.sampler.conductor import SECTION
from worker.engine.sampler.count_in import make_count_in
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.plan import Plan, make_plan
from worker.engine.sampler.repertoire import repertoire
from worker.engine.sampler.score import Header, Score, Section, Stop, player_of
from worker.engine.sampler.wish import Wish, read_recipe

SEEDS = range(20)


def plans(reading: Reading) -> list[Plan]:
    return [make_plan(Wish(reading, seconds=8.0, seed=seed, is_short=True)) for seed in SEEDS]


def exact(bpm: float) -> tuple[Fraction, Fraction]:
    return Fraction(bpm), Fraction(bpm)


def test_the_same_seed_makes_the_same_plan_and_others_differ() -> None:
    reading = Reading(genre="house")
    found = plans(reading)
    assert found == plans(reading)
    for name in ("tempo", "key", "mood", "cast"):
        assert len({repr(getattr(plan, name)) for plan in found}) > 3


def test_what_is_stated_is_kept() -> None:
    stated = Reading(genre="house", tempo=exact(92.5), key=Key(6, True), meter="3/4", moods=("sad",))
    for plan in plans(stated):
        assert (plan.tempo, plan.key, plan.meter, plan.mood) == (Fraction("92.5"), Key(6, True), "3/4", "sad")
        assert plan.warnings == ()


def test_a_range_is_narrowed_to_what_the_genre_usually_has() -> None:
    found = {plan.tempo for plan in plans(Reading(genre="house", tempo=(Fraction(100), Fraction(121))))}
    assert found == {118, 119, 120, 121}
    assert {plan.tempo for plan in plans(Reading(genre="house", tempo=(Fraction(60), Fraction(62))))} == {60, 61, 62}


def test_a_mood_is_slower_or_faster_within_what_the_genre_usually_has() -> None:
    slow, fast = repertoire().genres["house"].tempo
    for mood, first, last in (("sad", slow, slow + 3), ("aggressive", fast - 3, fast)):
        found = {plan.tempo for plan in plans(Reading(genre="house", moods=(mood,)))}
        assert first <= min(found) < max(found) <= last


@pytest.mark.parametrize("mode", ["major", "minor"])
def test_a_mode_without_a_key_restricts_the_key(mode: str) -> None:
    assert {plan.key.minor for plan in plans(Reading(genre="pop", mode=mode))} == {mode == "minor"}


@pytest.mark.parametrize(("energy", "level"), [("low", -1), ("medium", 0), ("high", 1)])
def test_energy_chooses_the_mood(energy: str, level: int) -> None:
    for plan in plans(Reading(genre="pop", energy=energy)):
        assert plan.mood is not None
        assert repertoire().moods[plan.mood].energy == level


def test_a_prompt_without_a_genre_gets_one_that_has_its_instruments() -> None:
    for plan in plans(Reading(instruments=("clarinet", "strings"))):
        assert plan.cast.players[Stream.DRUMS] == (None,) or "jazz" in plan.caption


def test_a_prompt_without_a_genre_gets_one_that_has_its_tempo() -> None:
    for plan in plans(Reading(tempo=exact(174))):
        assert {"drum", "metal", "jazz"} & set(plan.caption.split())


def test_a_prompt_that_refuses_drums_gets_no_genre_that_is_made_of_them() -> None:
    for plan in plans(Reading(refused=frozenset({"drums"}))):
        assert not {"house", "rock", "funk"} & set(plan.caption.split())


def test_drums_alone_play_the_beat_of_many_genres() -> None:
    found = {plan.caption for plan in plans(Reading(instruments=("drums",), only=True, tempo=exact(100)))}
    genres = {caption.partition(" solo ")[0].removeprefix("dark ") for caption in found}
    assert all(" solo drums, 100 bpm" in caption for caption in found)
    assert len(genres) > 4


@pytest.mark.parametrize(
    ("reading", "caption"),
    [
        (
            Reading(
                genre="trap", moods=("dark",), tempo=exact(140), key=Key(9, True), instruments=("bells", "strings")
            ),
            "dark trap track with bells and strings, 140 bpm, in A minor",
        ),
        (
            Reading(instruments=("cello",), only=True, moods=("sad",), tempo=exact(60), key=Key(5, True)),
            "sad solo cello, 60 bpm, in F minor",
        ),
        (
            Reading(
                genre="jazz", moods=("happy",), tempo=exact(99.6), key=Key(1, False), meter="3/4",
                refused=frozenset({"drums", "bass", "piano"}),
            ),
            "happy jazz track, 100 bpm, in Db major, in 3/4 time, no drums, no bass",
        ),
    ],
)  # fmt: skip
def test_the_caption_is_in_the_models_words(reading: Reading, caption: str) -> None:
    assert {plan.caption for plan in plans(reading)} == {caption}


def test_a_prompt_of_which_nothing_is_understood_is_left_as_it_is() -> None:
    assert {plan.caption for plan in plans(Reading(words="xyzzy"))} == {"xyzzy"}


PROMPT = "sad song with synth bass, saxophone, congas and drum machine"
NAMED = {
    Stream.BASS: "synth bass",
    Stream.LEAD: "saxophone",
    Stream.DRUMS: "electronic",
    Stream.PERCUSSION: "congas",
}


def recipe(prompt: str, seconds: float = 8.0, bars: int | None = None, seed: int = 0) -> Recipe:
    grid = {"bars": bars, "bpm": 120.0, "meter": "4/4"} if bars else {}
    return Recipe(model="starter", prompt=prompt, duration=seconds, seed=seed, **grid)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("bars", [None, 64])
def test_a_short_piece_begins_with_the_named_instruments_and_the_others_follow(seed: int, bars: int | None) -> None:
    limits = make_count_in(read_recipe(recipe(PROMPT, 128.0 if bars else 16.0, bars, seed))).limits
    score = decode(draw([random_wish(seed)], 16 * 5, [limits])[0])
    assert score.header.mood == "sad"
    for stream, name in NAMED.items():
        first = min(step for step, event in score.events[stream].items() if not isinstance(event, Stop))
        assert first < 4
        assert {player_of(event) for event in score.events[stream].values()} <= {name, None}
    assert score.sections[0] in (Section.VERSE, Section.CHORUS)
    if bars:
        assert not {Section.INTRO, Section.OUTRO} & set(score.sections)


def _quiet(section: Section) -> Score:
    """A song whose first two bars are of this section and silent."""
    whole = song(Header(120), POP, 4)
    events = {
        stream: {step: event for step, event in row.items() if step >= 32} for stream, row in whole.events.items()
    }
    return Score(whole.header, (section, section, *whole.sections[2:]), whole.steps, events)


@pytest.mark.parametrize(
    ("prompt", "seconds", "begins"),
    [
        ("bass guitar and violin at 120 bpm", 8.0, True),
        ("bass guitar and violin at 60 bpm", 32.0, True),
        ("bass guitar and violin at 120 bpm", 60.0, False),
        ("bass guitar and violin at 120 bpm, with an intro", 8.0, False),
    ],
)
def test_only_a_short_piece_without_an_intro_must_begin_at_once(prompt: str, seconds: float, begins: bool) -> None:
    limits = make_count_in(read_recipe(recipe(prompt, seconds))).limits
    (codes,) = draw([scripted(encode(_quiet(Section.INTRO)))], 16 * 3, [limits])
    score = decode(codes)
    assert (score.sections[0] is not Section.INTRO) is begins
    assert min(score.events.get(Stream.BASS, {99: Stop()})) == (2 if begins else 99)


@pytest.mark.parametrize(("seconds", "bar"), [(60.0, 4), (17.0, 3)])
def test_in_a_long_piece_named_instruments_play_after_an_intro(seconds: float, bar: int) -> None:
    plan = make_plan(read_recipe(recipe("house with violin and piano at 96 bpm, with an intro", seconds)))
    assert plan.deadlines[Stream.LEAD] == plan.deadlines[Stream.CHORDS] == bar


def test_the_whole_band_begins_a_short_piece() -> None:
    plan = make_plan(read_recipe(recipe("house with violin and piano at 96 bpm", 10.0)))
    assert {Stream.LEAD, Stream.CHORDS, Stream.BASS, Stream.DRUMS} <= plan.deadlines.keys()
    assert set(plan.deadlines.values()) == {0}


def test_parts_that_are_sure_to_play_may_rest_for_two_or_four_bars() -> None:
    band = make_plan(read_recipe(recipe("house with violin, piano and vinyl crackle", 60.0)))
    assert {stream: band.rests[stream] for stream in (Stream.BASS, Stream.CHORDS, Stream.LEAD, Stream.DRUMS)} == {
        Stream.BASS: 2,
        Stream.CHORDS: 4,
        Stream.LEAD: 2,
        Stream.DRUMS: 2,
    }
    # Crackle goes on by itself, and a soloist's second part may never play.
    assert Stream.PERCUSSION not in band.rests
    assert len(make_plan(read_recipe(recipe("solo piano", 60.0))).rests) == 1


def test_an_outro_is_only_possible_on_request() -> None:
    def allows(prompt: str, section: Section) -> bool:
        limits = make_count_in(read_recipe(recipe(prompt, bars=4))).limits
        return bool(limits.allowed[3, SECTION + section])

    assert not allows("piano", Section.OUTRO)
    assert not allows("piano", Section.INTRO)
    assert allows("piano, fading out", Section.OUTRO)
    assert allows("piano with intro", Section.INTRO)
    assert allows("piano", Section.BREAK)


def test_instruments_without_a_free_stream_share_one_with_a_warning() -> None:
    plan = make_plan(read_recipe(recipe("jazz with double bass, choir and bass guitar, synth bass")))
    assert plan.cast.players[Stream.BASS] == ("double bass", "bass guitar", "synth bass")
    assert plan.warnings == (
        "The double bass, the bass guitar and the synth bass share one part: they take turns, or one of them is not "
        "heard.",
    )
