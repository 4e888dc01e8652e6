"""Requests on the grid: bars, tempo, meter, key, loop."""

import json
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.decoding import decode_json
from gateway.jobs.drafts import fingerprint_source
from gateway.jobs.recipes import make_recipe
from gateway.problems import Problem
from gateway.schemas import MIN_DURATION, GenerateRequest
from shared.messages import Recipe, encode
from shared.music import MOST_BARS, bar_quarters, bar_seconds

LONGEST = 120.0
MODELS = {"starter", "small", "my-tune"}


def recipe(max_duration: float = LONGEST, **fields: Any) -> Recipe:
    """The recipe of a body as a client sends it."""
    body = json.dumps(({} if "components" in fields else {"prompt": "a tone"}) | {"seed": 1} | fields)
    request = decode_json(body.encode(), GenerateRequest)
    return make_recipe(request, default_model="starter", models=MODELS, max_duration=max_duration)


def refusal(max_duration: float = LONGEST, **fields: Any) -> str:
    """The field that is refused, a colon and the reason."""
    with pytest.raises(Problem) as caught:
        recipe(max_duration, **fields)
    (error,) = caught.value.errors
    assert caught.value.status == 422
    assert caught.value.detail == f"{error.field}: {error.message}"
    return caught.value.detail


def test_eight_bars_of_house_are_as_a_daw_counts_them() -> None:
    made = recipe(prompt="house", bars=8, bpm=124, key="Am", loop=True, sample_rate=48_000)
    assert (made.bars, made.bpm, made.meter, made.key, made.loop) == (8, 124, "4/4", "A minor", True)
    assert made.duration == pytest.approx(8 * 4 * 60 / 124, abs=1e-12)
    assert made.sample_rate == 48_000


@given(st.integers(1, MOST_BARS), st.floats(40, 240), st.sampled_from(["4/4", "3/4", "6/8", "7/8", "2/2", "5/16"]))
def test_bars_have_exactly_their_length_or_are_refused(bars: int, bpm: float, meter: str) -> None:
    length = bars * bar_quarters(meter) * 60 / Fraction(bpm)
    fields: dict[str, Any] = {"bars": bars, "bpm": bpm, "meter": meter, "model": "small"}
    if MIN_DURATION <= length <= LONGEST:
        made = recipe(**fields)
        assert made.duration == float(length)
        assert (made.bars, made.bpm, made.meter) == (bars, bpm, meter)
    else:
        assert refusal(**fields).startswith("bars: ")


@pytest.mark.parametrize(
    ("prompt", "bpm"),
    [
        ("house at 128 BPM", 128),
        ("92.5 bpm", 92.5),
        ("house, 120 to 126 bpm", 124),
        ("a tone, 120 to 126 bpm", 123),
        ("techno, 120 to 126 bpm", 126),
        ("slow piano", 70),
        ("house", 124),
        ("a tone", 120),
    ],
)
def test_bars_take_the_prompts_tempo_then_the_genres_then_120(prompt: str, bpm: float) -> None:
    assert recipe(prompt=prompt, bars=4).bpm == bpm
    assert recipe(prompt=prompt, bars=4, bpm=99.5).bpm == 99.5


def test_bars_at_a_tempo_of_the_prompt_that_is_no_request_are_refused() -> None:
    assert refusal(prompt="30 bpm", bars=4).startswith("bpm: The prompt asks for 30 BPM; bars can have 40 to 240 BPM")
    assert recipe(prompt="30 bpm", bars=4, bpm=60).bpm == 60
    assert recipe(prompt="30 bpm").bpm is None


@pytest.mark.parametrize(
    ("prompt", "bars", "bpm", "loop"),
    [
        ("8 bars of house", 8, 124, False),
        ("four-bar loop of techno at 128 bpm", 4, 128, True),
        ("16 bar drum loop, 90 bpm", 16, 90, True),
        ("two bars of drums to loop, 128 bpm", 2, 128, True),
        ("8 bars of house with a flute loop", 8, 124, False),
        ("30 second loop, 120 bpm", 15, 120, True),
        ("one bar of slow piano", 1, 70, False),
    ],
)
def test_the_prompts_words_decide_the_length_where_the_request_does_not(
    prompt: str, bars: int, bpm: float, loop: bool
) -> None:
    made = recipe(prompt=prompt)
    assert (made.bars, made.bpm, made.loop, made.meter) == (bars, bpm, loop, "4/4")
    assert made.duration == float(bars * bar_seconds(bpm, "4/4"))
    assert recipe(**json.loads(encode(made))) == made


@pytest.mark.parametrize(("prompt", "seconds"), [("20 seconds of rain", 20), ("2 minutes of jazz", 120), ("jazz", 30)])
def test_seconds_in_the_prompt_are_the_duration(prompt: str, seconds: float) -> None:
    made = recipe(prompt=prompt)
    assert (made.duration, made.bars, made.loop) == (seconds, None, False)


def test_fields_come_before_the_prompts_length() -> None:
    assert (recipe(prompt="8 bars of house", bars=4).bars, recipe(prompt="8 bars of house", duration=9).bars) == (
        4,
        None,
    )
    assert recipe(prompt="8 bars of house", duration=9).duration == 9
    assert recipe(prompt="20 seconds of jazz", duration=9).duration == 9
    assert recipe(prompt="4-bar loop of house", loop=False).loop is False
    assert recipe(prompt="4-bar loop of house", loop=False).bars == 4
    assert recipe(prompt="8 bars of house", loop=True).loop is True
    made = recipe(prompt="8 bars of house", bpm=100, meter="3/4")
    assert (made.bars, made.bpm, made.meter) == (8, 100, "3/4")
    assert recipe(components={"genre": "house", "bars": 4, "custom_text": "8 bars"}).bars == 4


def test_a_loop_without_a_length_is_no_request_for_one() -> None:
    assert (recipe(prompt="seamless house loop").loop, recipe(prompt="seamless house loop").bars) == (False, None)


@pytest.mark.parametrize(
    ("prompt", "bars", "bpm", "meter"),
    [
        ("100 bars of house", 62, 124, "4/4"),  # 63 last longer than 120 seconds
        ("8 bars at 300 bpm", 8, 150, "4/4"),
        ("8 bars at 30 bpm", 8, 60, "4/4"),
        ("8 bars of house in 23/16", 8, 124, "4/4"),
        ("10 minute house loop", 62, 124, "4/4"),
    ],
)
def test_a_wish_that_cannot_be_becomes_the_nearest_that_can(prompt: str, bars: int, bpm: float, meter: str) -> None:
    made = recipe(prompt=prompt)
    assert (made.bars, made.bpm, made.meter) == (bars, bpm, meter)


def test_seconds_beyond_the_limits_become_the_limits() -> None:
    assert recipe(prompt="10 minutes of jazz").duration == LONGEST
    assert recipe(5.0, prompt="8 seconds of jazz").duration == 5
    made = recipe(3.0, prompt="one bar at 60 bpm")
    assert (made.bars, made.duration) == (None, 3)


def test_bars_take_the_prompts_meter_unless_the_request_has_one() -> None:
    assert recipe(prompt="waltz in 3/4", bars=4).meter == "3/4"
    assert recipe(prompt="waltz in 3/4", bars=4, meter="4/4").meter == "4/4"
    assert recipe(prompt="prog rock in 7/8", bars=4).meter == "7/8"
    assert recipe(prompt="prog rock in 11/8", bars=4, model="small").meter == "11/8"
    assert refusal(prompt="prog rock in 11/8", bars=4).startswith("meter: The prompt asks for it: The model starter")
    assert recipe(prompt="prog rock in 7/8", bars=4, meter="4/4").meter == "4/4"
    assert recipe(prompt="in 21/16", bars=4).meter == "4/4"  # no bar is that long


def test_tempo_meter_and_key_without_bars_leave_the_length_alone() -> None:
    made = recipe(prompt="house at 128 BPM in 3/4", bpm=99.5, meter="4/4", key="Bb", duration=12.5)
    assert (made.bars, made.bpm, made.meter, made.key, made.duration) == (None, 99.5, "4/4", "Bb major", 12.5)
    plain = recipe(prompt="house at 128 BPM in 3/4")
    assert (plain.bars, plain.bpm, plain.meter, plain.key, plain.duration) == (None, None, None, None, 30)


@pytest.mark.parametrize(
    ("fields", "bars"),
    [
        ({"bpm": 120, "duration": 9}, 4),  # 4.5 rounds to the even number
        ({"bpm": 120, "duration": 9.1}, 5),
        ({"bpm": 120, "duration": 0.5}, 1),
        ({"bpm": 120}, 15),
        ({"bpm": 119, "duration": 120}, 59),  # 60 bars do not fit
        ({"bpm": 240, "duration": 120, "meter": "1/2", "model": "small"}, 128),
        ({"bpm": 240, "duration": 0.5, "meter": "3/8", "model": "small"}, 2),  # one bar is too short
    ],
)
def test_a_loop_without_bars_gets_the_nearest_whole_bars(fields: dict[str, Any], bars: int) -> None:
    made = recipe(loop=True, **fields)
    assert made.bars == bars
    assert made.bpm
    assert made.meter
    assert made.duration == float(bars * bar_seconds(made.bpm, made.meter))


def test_a_loop_longer_than_the_server_allows_is_refused() -> None:
    assert refusal(5.0, loop=True, bpm=40) == (
        "bars: 1 bar of 4/4 at 40 BPM last 6 seconds; at most 5 are possible. Ask for a faster tempo."
    )


def test_bars_beyond_the_limits_are_refused_with_what_is_possible() -> None:
    assert refusal(bars=128, bpm=40) == (
        "bars: 128 bars of 4/4 at 40 BPM last 768 seconds; at most 120 are possible. "
        "Ask for at most 20 bars, or a faster tempo."
    )
    assert recipe(bars=20, bpm=40).duration == 120
    assert refusal(bars=1, bpm=240, meter="1/4", model="small") == (
        "bars: 1 bar of 1/4 at 240 BPM last 0.25 seconds; at least 0.5 are needed. Ask for at least 2 bars."
    )
    assert refusal(prompt=None, components={"genre": "jazz", "bars": 100}).startswith("components.bars: 100 bars")


def test_bars_and_another_duration_are_refused() -> None:
    assert refusal(bars=8, bpm=124, duration=30) == (
        "duration: Give either bars or duration: 8 bars of 4/4 at 124 BPM last 15.48387097 seconds."
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": "house", "bars": 8, "key": "Am", "loop": True, "format": "flac", "sample_rate": 96_000},
        {"prompt": "waltz in 3/4 at 92.7 bpm", "bars": 7, "loudness": -14, "title": "Waltz ♯1", "outputs": ["midi"]},
        {"prompt": "techno", "loop": True, "duration": 11.3, "format": "mp3"},
        {"prompt": "a tone", "bpm": 99.9, "duration": 7},
        {"components": {"genre": "house", "tempo": "126 BPM", "bars": 4, "key": "Bb", "loop": True}},
    ],
)
def test_the_recipe_of_a_job_is_accepted_as_a_request_for_the_same(fields: dict[str, Any]) -> None:
    made = recipe(**fields)
    assert recipe(**json.loads(encode(made))) == made
    rounded = json.loads(encode(made)) | {"duration": round(made.duration, 3)}
    if made.bars:
        assert recipe(**rounded) == made


@pytest.mark.parametrize("key", ["H minor", "Am7", "", " ", "major", "dorian", "C##", "🎹", "A\x00minor", "a" * 20])
def test_text_that_is_no_key_is_refused(key: str) -> None:
    assert refusal(key=key).startswith("key: ")
    assert refusal(prompt=None, components={"genre": "jazz", "key": key}).startswith("components.key: ")


@pytest.mark.parametrize(
    ("key", "name"),
    [("Am", "A minor"), ("F♯m", "F# minor"), ("B♭", "Bb major"), (" a  MINOR ", "A minor"), ("Cb", "B major")],
)
def test_a_key_is_stored_in_the_long_form(key: str, name: str) -> None:
    assert recipe(key=key).key == name
    assert recipe(prompt=None, components={"genre": "jazz", "key": key}).key == name


@pytest.mark.parametrize("meter", ["", "4", "4/3", "0/4", "17/4", "four four", "4/4/4", "４/4", "-4/4", "4/4 "])
def test_text_that_is_no_meter_is_refused(meter: str) -> None:
    assert refusal(meter=meter, model="small").startswith("meter: ")
    assert refusal(prompt=None, components={"genre": "a", "meter": meter}).startswith("components.meter: ")


@pytest.mark.parametrize("meter", ["9/8", "11/8", "2/2", "7/4"])
def test_a_meter_that_the_model_lacks_is_refused(meter: str) -> None:
    known = "4/4, 3/4, 5/4, 6/8, 7/8 and 12/8"
    assert refusal(meter=meter) == f"meter: The model starter plays no {meter}. It plays {known}."
    assert refusal(components={"genre": "a", "meter": meter}).startswith("components.meter: The model starter")
    assert recipe(meter=meter, model="small").meter == meter
    assert recipe(meter=meter, model="my-tune").meter == meter


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("bars", [0, -1, 129, 1.5, 1e300, 10**30, "8", True, [8]]),
        ("bpm", [39.999, 240.001, 0, -120, 1e308, 10**400, "124", True, [124]]),
        ("meter", [4, ["4/4"], {"beats": 4}, "1/2" * 10]),
        ("key", [9, True, ["Am"], "A" * 21]),
        ("loop", ["true", 1, 0, "yes"]),
        ("format", ["WAV", "aac", "", 1]),
        ("sample_rate", [32_000, 0, -48_000, 48_000.5, "48000", 10**30]),
        ("loudness", [-30.1, -5.9, 0, "-14", True]),
        ("title", ["", "x" * 101, 7]),
    ],
)
def test_values_out_of_range_are_refused_before_any_rule(field: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(msgspec.ValidationError, match=field):
            recipe(**{field: value})


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", '"NaN"'])
@pytest.mark.parametrize("field", ["bpm", "loudness", "bars"])
def test_numbers_that_are_none_are_refused(field: str, number: str) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_json(f'{{"prompt": "a", "{field}": {number}}}'.encode(), GenerateRequest)


def test_components_may_hold_the_grid() -> None:
    grid: dict[str, Any] = {"bars": 8, "bpm": 124.5, "meter": "3/4", "key": "F♯m", "loop": True}
    made = recipe(components={"genre": "house", **grid})
    assert (made.bars, made.bpm, made.meter, made.key, made.loop) == (8, 124.5, "3/4", "F# minor", True)
    assert made.prompt == "house music, at 124.5 BPM, in F# minor, in 3/4"
    same = recipe(components={"genre": "house", **grid}, **grid | {"key": "Gb minor"})
    assert same == made


def test_a_number_in_the_components_tempo_is_the_tempo_of_bars() -> None:
    assert recipe(components={"genre": "house", "tempo": "126 BPM"}, bars=8).bpm == 126
    assert recipe(components={"genre": "house", "tempo": "slow"}, bars=8).bpm == 80
    assert recipe(components={"genre": "house", "tempo": "126", "bpm": 126}, bars=8).bpm == 126
    assert refusal(components={"genre": "house", "tempo": "126", "bpm": 120}).startswith("components.bpm: ")


@pytest.mark.parametrize(
    ("name", "inner", "outer"), [("bars", 8, 4), ("bpm", 120, 124), ("key", "Am", "C"), ("loop", True, False)]
)
def test_contradicting_components_are_refused(name: str, inner: Any, outer: Any) -> None:
    assert refusal(components={"genre": "house", name: inner}, **{name: outer}).startswith(f"components.{name}: ")


def test_the_prompt_builder_and_generate_agree_on_loops() -> None:
    assert recipe(components={"genre": "house", "loop": False}).loop is False
    assert recipe(components={"genre": "house", "loop": None}, loop=True).loop is True


@pytest.mark.parametrize("name", ["bars", "bpm", "meter", "key", "loop", "format", "sample_rate", "loudness", "title"])
def test_absent_and_null_fields_leave_the_fingerprint_of_a_request_alone(name: str) -> None:
    before = fingerprint_source(decode_json(b'{"prompt": "a"}', GenerateRequest))
    assert f'"{name}"'.encode() not in before
    assert fingerprint_source(decode_json(b'{"prompt": "a", "%s": null}' % name.encode(), GenerateRequest)) == before


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"format": "flac", "sample_format": "float32"}, "sample_format"),
        ({"format": "ogg", "sample_format": "int24"}, "sample_format"),
        ({"format": "mp3", "sample_format": "float32"}, "sample_format"),
        ({"format": "mp3", "sample_rate": 96_000}, "sample_rate"),
        ({"title": " \u200b "}, "title"),
        ({"title": "a\x00b"}, "title"),
    ],
)
def test_a_file_that_cannot_be_is_refused(fields: dict[str, Any], field: str) -> None:
    assert refusal(**fields).startswith(f"{field}: ")


@pytest.mark.parametrize(
    "fields",
    [
        {"format": "flac", "sample_format": "int24", "sample_rate": 96_000},
        {"format": "ogg", "sample_rate": 96_000},
        {"format": "mp3", "sample_rate": 48_000, "sample_format": "int16"},
        {"format": "wav", "sample_format": "float32", "sample_rate": 96_000, "loudness": -30},
    ],
)
def test_a_file_that_can_be_is_accepted(fields: dict[str, Any]) -> None:
    made = msgspec.to_builtins(recipe(**fields))
    assert fields.items() <= made.items()


def test_a_title_is_one_line_without_controls_of_the_direction() -> None:
    assert recipe(title="  Night \u202e\n drive ").title == "Night drive"
