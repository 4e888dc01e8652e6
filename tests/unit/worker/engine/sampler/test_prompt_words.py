from collections.abc import Iterator

import pytest

from shared.messages import Recipe
from shared.prompt.reader import read_prompt
from tests.unit.worker.engine.sampler.drawing import draw, random_wish, scripted
from tests.unit.worker.engine.sampler.songs import POP, song
from training.music import Split, make_piece
from worker.engine.sampler.codes import decode, encode
from worker.engine.sampler.conductor import PLAYER_PLACES, SECTION
from worker.engine.sampler.count_in import make_count_in
from worker.engine.sampler.instruments import KITS, PLAYERS, Stream
from worker.engine.sampler.prompt_words import SEATS, read_words
from worker.engine.sampler.score import Header, Score, Section, Stop, player_of
from worker.engine.sampler.wish import Wish, read_recipe


@pytest.mark.parametrize(
    ("prompt", "players"),
    [
        ("house with drum machine and synth bass", {Stream.DRUMS: "electronic", Stream.BASS: "synth bass"}),
        ("Solo Piano", {Stream.CHORDS: "piano"}),
        ("violins and a flute", {Stream.LEAD: "violin", Stream.PAD: "flute"}),
        ("electric piano, not a piano", {Stream.CHORDS: "electric piano"}),
        ("strings, choir and pads", {Stream.ARPEGGIO: "strings", Stream.PAD: "choir"}),
        ("timpani", {Stream.PERCUSSION: "timpani"}),
        ("congas and timpani", {Stream.PERCUSSION: "congas", Stream.BASS: "timpani"}),
        ("no drums, bass guitar or piano, but strings", {Stream.PAD: "strings"}),
        ("no drums, piano and organ", {Stream.CHORDS: "piano", Stream.PAD: "organ"}),
        ("piano without strings", {Stream.CHORDS: "piano"}),
        ("drum and bass with steel drums and a bass drum", {}),
        ("conga drums", {Stream.PERCUSSION: "congas"}),
        ("drums are left out, there is no bass, made from harp", {Stream.ARPEGGIO: "harp"}),
        ("leave out all drums, with piano", {Stream.CHORDS: "piano"}),
        ("drum-free organ; drums: none", {Stream.PAD: "organ"}),
        ("nothing except piano", {Stream.CHORDS: "piano"}),
        ("no instruments other than a banjo", {Stream.ARPEGGIO: "banjo"}),
        ("organic pianists", {}),
        ("guitar, bass, choir", {Stream.BASS: "bass guitar", Stream.PAD: "choir"}),
        ("synth bass, deep bass", {Stream.BASS: "synth bass"}),
    ],
)
def test_named_instruments_get_a_stream_each(prompt: str, players: dict[Stream, str]) -> None:
    found = read_words(prompt).players
    assert {stream: names[0] for stream, names in found.items()} == players


def test_every_word_of_an_instrument_has_a_player_in_its_streams() -> None:
    for name, seats in SEATS.items():
        (stream,) = read_words(name).players
        assert stream == seats[0]
        for seat in seats:
            assert seat in KITS or name in ("bass", *PLAYERS[seat])


def test_drums_are_any_kit_but_the_electronic_one() -> None:
    assert read_words("drums").players == {Stream.DRUMS: ("acoustic", "brushes", "hard", "lofi")}
    assert read_words("drums", no_drums=True).players == {}


def test_instruments_without_a_free_stream_share_one_with_a_warning() -> None:
    wish = read_recipe(Recipe(model="starter", prompt="double bass, choir and bass guitar, synth bass", duration=8.0))
    assert wish.words.players == {
        Stream.BASS: ("double bass", "bass guitar", "synth bass"),
        Stream.PAD: ("choir",),
    }
    assert make_count_in(wish).warnings == (
        "The double bass, the bass guitar and the synth bass share one part: they take turns, or one of them is not "
        "heard.",
    )


def test_without_bass_no_instrument_plays_it() -> None:
    assert read_words("cello").players == {Stream.BASS: ("cello",)}
    assert read_words("cello, no bass").players == {Stream.PAD: ("cello",)}


@pytest.mark.parametrize("split", ["train", "test"])
def test_captions_name_what_their_pieces_have(split: Split) -> None:
    unnamed = wrong = 0
    for seed in range(300):
        piece = make_piece(seed, split)
        words = read_words(piece.caption, no_drums=read_prompt(piece.caption).no_drums)
        named = {name for stream, names in words.players.items() for name in _as_word(stream, names)}
        allowed = {*piece.spec.instruments, *(["drums"] if piece.spec.drums else [])}
        allowed |= (
            {"bass guitar", "synth bass", "double bass"} if piece.spec.bass or "bass guitar" in allowed else set()
        )
        assert named <= allowed, piece.caption
        unnamed += len(set(piece.spec.instruments) - named)
        wrong += bool(set(words.moods) - {piece.spec.mood})
    # Slips of the pen, and "relaxed" alone, which may mean the tempo.
    assert unnamed < 15
    assert wrong <= 1


def _as_word(stream: Stream, names: tuple[str, ...]) -> Iterator[str]:
    """The vocabulary's words of a stream's players."""
    for name in names:
        if stream is Stream.DRUMS:
            yield "drum machine" if name == "electronic" else "drums"
        else:
            yield "percussion" if name in ("tambourine", "cinematic", "electronic") else name


@pytest.mark.parametrize(
    ("prompt", "moods"),
    [("epic and dark", ("epic", "dark")), ("not sad, happy", ("happy",)), ("relaxed tempo", ()), ("piano", ())],
)
def test_moods_are_read(prompt: str, moods: tuple[str, ...]) -> None:
    assert read_words(prompt).moods == moods


@pytest.mark.parametrize(
    ("prompt", "intro", "outro"),
    [
        ("a long intro", True, False),
        ("no intro, with an outro", False, True),
        ("it fades out", False, True),
        ("a big ending", False, True),
        ("introverted", False, False),
    ],
)
def test_intro_and_outro_are_read(prompt: str, intro: bool, outro: bool) -> None:
    words = read_words(prompt)
    assert (words.intro, words.outro) == (intro, outro)


PROMPT = "sad song with synth bass, saxophone, congas and drum machine"
NAMED = {
    Stream.BASS: "synth bass",
    Stream.LEAD: "saxophone",
    Stream.DRUMS: "electronic",
    Stream.PERCUSSION: "congas",
}


def played(recipe: Recipe, seed: int, bars: int = 4) -> Score:
    limits = make_count_in(read_recipe(recipe)).limits
    (codes,) = draw([random_wish(seed)], 16 * (1 + bars), [limits])
    return decode(codes)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("bars", [None, 64])
def test_named_instruments_enter_in_the_first_beat(seed: int, bars: int | None) -> None:
    recipe = Recipe(model="starter", prompt=PROMPT, duration=128.0 if bars else 16.0, bars=bars, bpm=120.0, meter="4/4")
    score = played(recipe, seed)
    assert score.header.mood == "sad"
    for stream, name in NAMED.items():
        first = min(step for step, event in score.events[stream].items() if not isinstance(event, Stop))
        assert first < 4
        assert {player_of(event) for event in score.events[stream].values()} <= {name, None}
    assert score.sections[0] not in (Section.INTRO, Section.BREAK, Section.OUTRO)
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
    ("prompt", "duration", "enters"),
    [
        ("bass guitar and violin", 8.0, True),
        ("bass guitar and violin at 60 bpm", 32.0, True),
        ("bass guitar and violin", 60.0, False),
        ("bass guitar and violin, with an intro", 8.0, False),
    ],
)
def test_only_a_short_piece_without_an_intro_must_begin_at_once(prompt: str, duration: float, enters: bool) -> None:
    limits = make_count_in(read_recipe(Recipe(model="starter", prompt=prompt, duration=duration))).limits
    (codes,) = draw([scripted(encode(_quiet(Section.INTRO)))], 16 * 3, [limits])
    score = decode(codes)
    assert (score.sections[0] is not Section.INTRO) is enters
    begin = [min(score.events.get(stream, {99: Stop()})) for stream in (Stream.BASS, Stream.LEAD)]
    assert begin == ([2, 2] if enters else [99, 99])


def test_an_outro_is_only_possible_on_request() -> None:
    def allows(prompt: str, section: Section) -> bool:
        recipe = Recipe(model="starter", prompt=prompt, duration=8.0, bars=4, bpm=120.0, meter="4/4")
        return bool(make_count_in(read_recipe(recipe)).limits.allowed[3, SECTION + section])

    assert not allows("piano", Section.OUTRO)
    assert not allows("piano", Section.INTRO)
    assert allows("piano, fading out", Section.OUTRO)
    assert allows("piano with intro", Section.INTRO)
    assert allows("piano", Section.BREAK)


def test_a_wish_without_words_leaves_all_players_free() -> None:
    limits = make_count_in(Wish()).limits
    assert all(limits.allowed[place].sum() > 5 for place in PLAYER_PLACES)
    assert not limits.enters.any()
