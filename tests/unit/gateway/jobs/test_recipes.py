"""Turning requests into recipes."""

import zlib
from base64 import b64encode
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.jobs.drafts import fingerprint_source
from gateway.jobs.recipes import make_recipe
from gateway.problems import FieldError, Problem
from gateway.schemas import MAX_PROMPT, GenerateRequest
from shared.messages import Recipe
from shared.text import is_visible, without_bidi_controls


def request(**fields: Any) -> GenerateRequest:
    return msgspec.convert({"prompt": "a tone"} | fields, GenerateRequest)


def recipe(of: GenerateRequest, max_duration: float = 120.0) -> Recipe:
    return make_recipe(of, default_model="starter", models={"starter", "small"}, max_duration=max_duration)


def refusal(of: GenerateRequest, max_duration: float = 120.0) -> FieldError:
    """The only refused field."""
    with pytest.raises(Problem) as caught:
        recipe(of, max_duration)
    assert caught.value.status == 422
    (error,) = caught.value.errors
    return error


def test_a_prompt_alone_gets_the_default_parameters() -> None:
    made = recipe(request(seed=7))
    assert made == Recipe(
        model="starter",
        prompt="a tone",
        duration=30.0,
        temperature=1.0,
        top_k=250,
        top_p=0.0,
        cfg_coef=1.5,
        seed=7,
        sample_format="int16",
    )


def test_only_the_starter_has_a_different_default_guidance() -> None:
    small = GenerateRequest(prompt="a tone", model="small")
    assert make_recipe(small, default_model="starter", models={"small"}, max_duration=120).cfg_coef == 3.0


def test_every_given_parameter_reaches_the_recipe() -> None:
    given = {
        "model": "small",
        "prompt": "a bell",
        "duration": 5 * 3 * 60 / 99.5,
        "temperature": 0.5,
        "top_k": 0,
        "top_p": 0.9,
        "cfg_coef": 4.5,
        "seed": 2**32 - 1,
        "sample_format": "int24",
        "outputs": (),
        "bars": 5,
        "bpm": 99.5,
        "meter": "3/4",
        "key": "A minor",
        "loop": True,
        "format": "flac",
        "sample_rate": 48_000,
        "loudness": -14.0,
        "title": "Bells",
        "negative_prompt": "drums",
    }
    assert msgspec.to_builtins(recipe(request(**given))) == given | {"edit": None, "audio": None, "score": None}


def test_audio_to_continue_reaches_the_recipe_without_the_bars_that_words_ask_for() -> None:
    audio = {"continue_from": {"audio_id": "aud_abc123456789", "start": 1.5}}
    made = recipe(request(model="small", prompt="8 bars of house, 120 bpm", audio=audio))
    assert msgspec.to_builtins(made.audio) == audio
    assert (made.bars, made.bpm, made.loop, made.duration) == (None, None, False, 16.0)


def test_a_negative_prompt_needs_guidance_where_the_model_reads_no_words() -> None:
    assert recipe(request(model="small", negative_prompt=" drums ")).negative_prompt == "drums"
    assert recipe(request(negative_prompt="drums", cfg_coef=1)).negative_prompt == "drums"
    refused = refusal(request(model="small", negative_prompt="drums", cfg_coef=1))
    assert refused.field == "negative_prompt"
    assert "cfg_coef" in refused.message


@pytest.mark.parametrize("text", [" ", "\u202e", "drums\x00"])
def test_a_negative_prompt_without_visible_text_or_with_control_characters_is_refused(text: str) -> None:
    assert refusal(request(negative_prompt=text)).field == "negative_prompt"


@pytest.mark.parametrize("outputs", [["midi"], ["stems"], ["midi", "stems"], ["stems", "midi"]])
def test_outputs_are_put_in_canonical_order(outputs: list[str]) -> None:
    assert recipe(request(outputs=outputs)).outputs == tuple(sorted(outputs))


@pytest.mark.parametrize("given", [{}, {"outputs": []}])
def test_a_request_without_outputs_gets_none_from_any_model(given: dict[str, Any]) -> None:
    assert recipe(request(model="small", **given)).outputs == ()


@pytest.mark.parametrize("outputs", ["midi", ["audio"], ["midi", "stems", "midi"], None])
def test_unknown_outputs_are_refused(outputs: object) -> None:
    with pytest.raises(msgspec.ValidationError, match="outputs"):
        request(outputs=outputs)


def test_a_duplicate_output_is_refused() -> None:
    assert refusal(request(outputs=["midi", "midi"])).field == "outputs"


def test_outputs_are_refused_for_a_model_without_scores_naming_one_with() -> None:
    with pytest.raises(Problem, match="The model small writes no score") as caught:
        recipe(request(model="small", outputs=["midi"]))
    assert (caught.value.status, caught.value.errors[0].field) == (400, "outputs")
    assert "use the model starter" in caught.value.detail


def test_outputs_are_checked_against_the_default_model_too() -> None:
    with pytest.raises(Problem, match="The model small"):
        make_recipe(request(outputs=["midi"]), default_model="small", models={"small"}, max_duration=120.0)


def test_outputs_are_allowed_for_a_model_from_a_folder() -> None:
    made = make_recipe(request(outputs=["midi"]), default_model="my-tune", models={"my-tune"}, max_duration=120.0)
    assert made.outputs == ("midi",)


def test_the_fingerprint_of_a_request_without_outputs_omits_the_field() -> None:
    assert b"outputs" not in fingerprint_source(request())
    assert fingerprint_source(request(outputs=["midi"])) != fingerprint_source(request())


def test_seed_0_is_kept() -> None:
    assert recipe(request(seed=0)).seed == 0


def test_a_missing_seed_is_replaced_by_a_random_one_in_range() -> None:
    seeds = {recipe(request(seed=None)).seed for _ in range(50)}
    assert len(seeds) > 1
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_the_default_duration_does_not_exceed_the_servers_maximum() -> None:
    assert recipe(request(), max_duration=8).duration == 8


def test_the_maximum_duration_is_allowed() -> None:
    assert recipe(request(duration=8), max_duration=8).duration == 8


def test_a_duration_above_the_maximum_is_refused_with_both_numbers() -> None:
    error = refusal(request(duration=8.5), max_duration=8)
    assert error == FieldError("duration", "Must be at most 8 seconds, not 8.5.")


@pytest.mark.parametrize(("longest", "given"), [(120.0, 120.0001), (120.0, 120.00000000000001), (599.99999, 600.0)])
def test_the_refusal_shows_enough_digits_to_tell_both_durations_apart(longest: float, given: float) -> None:
    message = refusal(request(duration=given), max_duration=longest).message
    said = [float(word.rstrip(".")) for word in message.split() if word[0].isdigit()]
    assert said == [longest, given]


@pytest.mark.parametrize("model", ["huge", "Small", "small ", "music.jobs.>"])
def test_an_unknown_model_is_refused_with_the_valid_names(model: str) -> None:
    error = refusal(request(model=model))
    assert error.field == "model"
    assert "small, starter" in error.message
    assert repr(model) in error.message


@pytest.mark.parametrize("prompt", [None, " ", "\n\t  "])
def test_a_blank_prompt_is_refused(prompt: str | None) -> None:
    assert refusal(request(prompt=prompt)).field == "prompt"


def test_prompt_and_components_together_are_refused() -> None:
    assert refusal(request(components={"genre": "jazz"})).field == "components"


def test_components_become_the_prompt() -> None:
    made = recipe(request(prompt=None, components={"genre": "jazz", "tempo": "120 BPM"}))
    assert made.prompt == "jazz music, at 120 BPM"


@pytest.mark.parametrize("components", [{}, {"genre": "  "}, {"instruments": ["", " "]}])
def test_blank_components_are_refused(components: dict[str, Any]) -> None:
    assert refusal(request(prompt=None, components=components)).field == "components"


def test_components_that_make_too_long_a_prompt_are_refused() -> None:
    long = {"instruments": ["x" * 90 + str(number) for number in range(6)]}
    error = refusal(request(prompt=None, components=long))
    assert error.field == "components"
    assert str(MAX_PROMPT) in error.message


def test_whitespace_around_a_prompt_is_stripped() -> None:
    assert recipe(request(prompt="  a\ttone\nlong \r\n")).prompt == "a\ttone\nlong"


@pytest.mark.parametrize("code", [0x00, 0x07, 0x1B, 0x7F, 0x9F])
def test_a_control_character_is_refused_with_its_code_point(code: int) -> None:
    error = refusal(request(prompt=f"a{chr(code)}tone"))
    assert error.field == "prompt"
    assert f"U+{code:04X}" in error.message


def test_a_control_character_in_components_is_refused_too() -> None:
    error = refusal(request(prompt=None, components={"custom_text": "a\x00tone"}))
    assert error.field == "components"
    assert "U+0000" in error.message


@pytest.mark.parametrize("prompt", ["\u200b", "\u2800" * 3, "\u3164", "\u00ad", "\u202e\u2069", "\ufeff \u2060"])
def test_an_invisible_prompt_is_refused(prompt: str) -> None:
    assert refusal(request(prompt=prompt)).field == "prompt"
    assert refusal(request(prompt=None, components={"custom_text": prompt})).field == "components"


def test_bidirectional_controls_are_removed_from_a_prompt() -> None:
    given = "a \u202etone\u202c of \u2067bells\u2069\u200f"
    assert recipe(request(prompt=given)).prompt == "a tone of bells"
    components = {"genre": "\u202ejazz", "instruments": ["\u2066piano", "\u200b"], "mood": "\u2800"}
    assert recipe(request(prompt=None, components=components)).prompt == "jazz music, featuring piano"


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=MAX_PROMPT))
def test_other_text_is_unchanged(prompt: str) -> None:
    if is_visible(prompt):
        assert recipe(request(prompt=prompt)).prompt == without_bidi_controls(prompt).strip()
    else:
        assert refusal(request(prompt=prompt)).field == "prompt"


def child(data: bytes) -> dict[str, Any]:
    """A request that makes a child again, by its recipe."""
    score = {"codes": b64encode(zlib.compress(data)).decode(), "tempo": "120", "samples": 1}
    return {"edit": {"kind": "vary", "parent": "gen_000000000001", "score": score, "strength": 0.5}}


def test_the_recipe_of_a_child_makes_it_again() -> None:
    made = recipe(request(**child(bytes(160))))
    assert made.edit is not None
    assert (made.edit.kind, made.edit.strength) == ("vary", 0.5)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        (child(b"\xff" * 160), "edit.score"),
        (child(b"odd"), "edit.score"),
        (child(bytes(160)) | {"model": "small"}, "edit"),
    ],
)
def test_an_edit_that_no_model_can_follow_is_refused(fields: dict[str, Any], field: str) -> None:
    assert refusal(request(**fields)).field == field
