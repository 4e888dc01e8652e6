"""From a request to a recipe."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.jobs.recipes import make_recipe
from gateway.jobs.submission import fingerprint_source
from gateway.problems import FieldError, Problem
from gateway.schemas import MAX_PROMPT, GenerateRequest
from shared.messages import Recipe
from shared.text import is_visible, without_bidi_controls


def request(**fields: Any) -> GenerateRequest:
    return msgspec.convert({"prompt": "a tone"} | fields, GenerateRequest)


def recipe(of: GenerateRequest, max_duration: float = 120.0) -> Recipe:
    return make_recipe(of, default_model="starter", models={"starter", "small"}, max_duration=max_duration)


def refusal(of: GenerateRequest, max_duration: float = 120.0) -> FieldError:
    """The one field that is refused."""
    with pytest.raises(Problem) as caught:
        recipe(of, max_duration)
    assert caught.value.status == 422
    (error,) = caught.value.errors
    return error


def test_a_prompt_alone_gets_the_defaults_of_the_contract() -> None:
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


def test_only_the_starter_has_a_guidance_of_its_own() -> None:
    small = GenerateRequest(prompt="a tone", model="small")
    assert make_recipe(small, default_model="starter", models={"small"}, max_duration=120).cfg_coef == 3.0


def test_every_given_parameter_reaches_the_recipe() -> None:
    given = {
        "model": "small",
        "prompt": "a bell",
        "duration": 12.5,
        "temperature": 0.5,
        "top_k": 0,
        "top_p": 0.9,
        "cfg_coef": 4.5,
        "seed": 2**32 - 1,
        "sample_format": "float32",
        "outputs": (),
    }
    assert msgspec.to_builtins(recipe(request(**given))) == given


@pytest.mark.parametrize("outputs", [["midi"], ["stems"], ["midi", "stems"], ["stems", "midi"]])
def test_outputs_are_the_same_in_whichever_order_they_are_asked_for(outputs: list[str]) -> None:
    assert recipe(request(outputs=outputs)).outputs == tuple(sorted(outputs))


@pytest.mark.parametrize("given", [{}, {"outputs": []}])
def test_who_asks_for_no_outputs_gets_none_from_any_model(given: dict[str, Any]) -> None:
    assert recipe(request(model="small", **given)).outputs == ()


@pytest.mark.parametrize("outputs", ["midi", ["audio"], ["midi", "stems", "midi"], None])
def test_outputs_that_there_are_not_are_no_request(outputs: object) -> None:
    with pytest.raises(msgspec.ValidationError, match="outputs"):
        request(outputs=outputs)


def test_an_output_that_is_named_twice_is_refused() -> None:
    assert refusal(request(outputs=["midi", "midi"])).field == "outputs"


def test_outputs_of_a_model_that_writes_no_score_are_refused_with_one_that_does() -> None:
    with pytest.raises(Problem, match="The model small writes no score") as caught:
        recipe(request(model="small", outputs=["midi"]))
    assert (caught.value.status, caught.value.errors[0].field) == (400, "outputs")
    assert "use the model starter" in caught.value.detail


def test_the_default_model_is_asked_for_outputs_like_any_other() -> None:
    with pytest.raises(Problem, match="The model small"):
        make_recipe(request(outputs=["midi"]), default_model="small", models={"small"}, max_duration=120.0)


def test_a_folder_s_model_may_give_outputs() -> None:
    made = make_recipe(request(outputs=["midi"]), default_model="my-tune", models={"my-tune"}, max_duration=120.0)
    assert made.outputs == ("midi",)


def test_a_request_without_outputs_has_the_fingerprint_that_it_had_before_there_were_any() -> None:
    assert b"outputs" not in fingerprint_source(request())
    assert fingerprint_source(request(outputs=["midi"])) != fingerprint_source(request())


def test_seed_0_is_a_seed_and_not_a_missing_one() -> None:
    assert recipe(request(seed=0)).seed == 0


def test_no_seed_gives_a_random_one_in_range() -> None:
    seeds = {recipe(request(seed=None)).seed for _ in range(50)}
    assert len(seeds) > 1
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_the_default_duration_fits_a_server_that_makes_only_short_audio() -> None:
    assert recipe(request(), max_duration=8).duration == 8


def test_the_longest_duration_is_allowed() -> None:
    assert recipe(request(duration=8), max_duration=8).duration == 8


def test_a_longer_duration_is_refused_with_both_numbers() -> None:
    error = refusal(request(duration=8.5), max_duration=8)
    assert error == FieldError("duration", "At most 8 seconds here; it is 8.5.")


@pytest.mark.parametrize(("longest", "given"), [(120.0, 120.0001), (120.0, 120.00000000000001), (599.99999, 600.0)])
def test_two_durations_that_differ_are_told_apart_in_the_refusal(longest: float, given: float) -> None:
    message = refusal(request(duration=given), max_duration=longest).message
    said = [float(word.rstrip(".")) for word in message.split() if word[0].isdigit()]
    assert said == [longest, given]


@pytest.mark.parametrize("model", ["huge", "Small", "small ", "music.jobs.>"])
def test_an_unknown_model_is_refused_with_the_names_there_are(model: str) -> None:
    error = refusal(request(model=model))
    assert error.field == "model"
    assert "small, starter" in error.message
    assert repr(model) in error.message


@pytest.mark.parametrize("prompt", [None, " ", "\n\t  "])
def test_without_words_there_is_nothing_to_play(prompt: str | None) -> None:
    assert refusal(request(prompt=prompt)).field == "prompt"


def test_prompt_and_components_together_are_refused() -> None:
    assert refusal(request(components={"genre": "jazz"})).field == "components"


def test_components_become_a_sentence() -> None:
    made = recipe(request(prompt=None, components={"genre": "jazz", "tempo": "120 BPM"}))
    assert made.prompt == "jazz music, at 120 BPM"


@pytest.mark.parametrize("components", [{}, {"genre": "  "}, {"instruments": ["", " "]}])
def test_components_without_a_word_are_refused(components: dict[str, Any]) -> None:
    assert refusal(request(prompt=None, components=components)).field == "components"


def test_components_that_make_too_long_a_prompt_are_refused() -> None:
    long = {"instruments": ["x" * 90 + str(number) for number in range(6)]}
    error = refusal(request(prompt=None, components=long))
    assert error.field == "components"
    assert str(MAX_PROMPT) in error.message


def test_white_space_around_a_prompt_is_taken_off() -> None:
    assert recipe(request(prompt="  a\ttone\nlong \r\n")).prompt == "a\ttone\nlong"


@pytest.mark.parametrize("code", [0x00, 0x07, 0x1B, 0x7F, 0x9F])
def test_a_control_character_is_refused_by_its_code(code: int) -> None:
    error = refusal(request(prompt=f"a{chr(code)}tone"))
    assert error.field == "prompt"
    assert f"U+{code:04X}" in error.message


def test_a_control_character_in_components_is_refused_too() -> None:
    error = refusal(request(prompt=None, components={"custom_text": "a\x00tone"}))
    assert error.field == "components"
    assert "U+0000" in error.message


@pytest.mark.parametrize("prompt", ["\u200b", "\u2800" * 3, "\u3164", "\u00ad", "\u202e\u2069", "\ufeff \u2060"])
def test_a_prompt_of_which_nothing_shows_is_refused(prompt: str) -> None:
    assert refusal(request(prompt=prompt)).field == "prompt"
    assert refusal(request(prompt=None, components={"custom_text": prompt})).field == "components"


def test_a_prompt_cannot_turn_the_text_around_it() -> None:
    given = "a \u202etone\u202c of \u2067bells\u2069\u200f"
    assert recipe(request(prompt=given)).prompt == "a tone of bells"
    components = {"genre": "\u202ejazz", "instruments": ["\u2066piano", "\u200b"], "mood": "\u2800"}
    assert recipe(request(prompt=None, components=components)).prompt == "jazz music, featuring piano"


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=MAX_PROMPT))
def test_any_other_text_is_kept_as_it_is(prompt: str) -> None:
    if is_visible(prompt):
        assert recipe(request(prompt=prompt)).prompt == without_bidi_controls(prompt).strip()
    else:
        assert refusal(request(prompt=prompt)).field == "prompt"
