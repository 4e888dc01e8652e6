"""What begins with a file or a take: scores that are played, and audio that is continued where a model announces it."""

import json
import re
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from bench.tiny import write_tiny
from tests.browser.conftest import STARTER, Stack, start
from tests.browser.looks import barriers, needs_axe
from tests.browser.studio import Studio
from tests.browser.test_uploads import choice, choose, payload, source
from tests.faults.services import worker_server
from tests.integration.test_outputs import with_model
from tests.uploads import audio, midi

PROMPT = "4 bars of house with piano, bass and drums at 124 bpm in A minor"


@pytest.fixture(scope="module")
def engine() -> dict[str, str]:
    return STARTER


@pytest.fixture(scope="module")
def tiny(
    stack: Stack, s3_environment: dict[str, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """A second worker, whose model `tiny` continues audio: a MusicGen with random weights."""
    folder = tmp_path_factory.mktemp("models")
    with warnings.catch_warnings():
        # audiocraft uses a deprecated weight norm of PyTorch.
        warnings.simplefilter("ignore", FutureWarning)
        write_tiny(folder / "tiny")
    settings = with_model(folder / "tiny")
    settings |= {"NATS_URL": stack.nats_urls["worker"], **s3_environment["worker"]}
    worker = worker_server(folder, 3, settings, {})
    start(worker)
    yield
    worker.stop()


def send(studio: Studio, button: str) -> tuple[dict[str, Any], Locator]:
    """Press the form's button; returns what the page sent, and the card of the take when it is complete."""
    with studio.page.expect_response("**/api/v1/generate") as answer:
        studio.page.get_by_role("button", name=button, exact=True).click()
    assert answer.value.ok, answer.value.text()
    card = studio.card(answer.value.json()["job_id"])
    expect(card).to_have_class("card completed")
    return dict(json.loads(answer.value.request.post_data or "")), card


def open_menu(card: Locator, item: str) -> None:
    card.get_by_label(re.compile("More for")).click()
    card.get_by_role("button", name=item).click()


def test_a_midi_file_is_played_and_keeps_its_name(studio: Studio) -> None:
    studio.prompt.fill("words that are not lost")
    choose(studio, payload("Zweite Strophe ♯.mid", midi()))
    expect(studio.prompt).to_have_count(0)  # nothing is composed
    expect(source(studio)).to_contain_text("Nothing is composed")
    studio.page.get_by_label("Loop", exact=True).select_option("yes")
    body, card = send(studio, "Render")
    audio_id = body["score"].pop("audio_id")
    assert re.fullmatch("aud_[a-z0-9]{12}", audio_id)
    assert body == {"score": {"as": "play"}, "title": "Zweite Strophe ♯", "loop": True}
    expect(studio.page.get_by_role("heading", name="Zweite Strophe ♯")).to_be_visible()
    studio.play(card)
    choice(studio).select_option("nothing")
    expect(studio.prompt).to_have_value("words that are not lost")


def test_a_played_file_is_used_again_with_its_settings(studio: Studio) -> None:
    choose(studio, payload("song.mid", midi()))
    _, card = send(studio, "Render")
    studio.page.reload()
    open_menu(card, "Reuse settings")
    body, again = send(studio, "Render")
    assert set(body["score"]) == {"sha256", "as"}
    expect(again).to_contain_text("piano")


def test_the_score_of_a_take_is_played_with_other_sounds(studio: Studio) -> None:
    take = studio.make(PROMPT, seed=7)
    open_menu(take, "Use its score…")
    expect(choice(studio)).to_be_focused()
    players = studio.page.get_by_role("group", name="Instruments to play")
    names = players.get_by_role("checkbox").evaluate_all("all => all.map((each) => each.parentElement.textContent)")
    assert len(names) >= 3
    players.get_by_role("checkbox", name=names[0]).uncheck()
    players.get_by_label(f"Sound of {names[1]}").select_option("Synth bass 1")
    body, child = send(studio, "Render")
    score = {"job_id": studio.job_id(take), "as": "play", "instruments": names[1:], "programs": {names[1]: 38}}
    assert body == {"score": score}
    expect(child.locator(".origin")).to_contain_text("the same notes")


def test_a_midi_file_is_given_to_other_instruments(studio: Studio) -> None:
    choose(studio, payload("idea.mid", midi()))
    studio.page.get_by_role("combobox", name="How").select_option("orchestrate")
    studio.prompt.fill("string quartet")
    body, _ = send(studio, "Generate")
    assert body["score"].pop("audio_id")
    assert body == {"score": {"as": "orchestrate"}, "prompt": "string quartet"}


def test_a_midi_file_is_continued_to_a_stated_length(studio: Studio) -> None:
    choose(studio, payload("idea.mid", midi()))
    studio.page.get_by_role("combobox", name="How").select_option("continue")
    studio.page.get_by_text("Bars", exact=True).click()
    studio.page.get_by_label("Bars", exact=True).last.fill("6")
    body, card = send(studio, "Generate")
    assert body["score"].pop("audio_id")
    assert body == {"score": {"as": "continue"}, "bars": 6}
    expect(card).to_contain_text("0:12")  # six bars at 120 BPM


def test_audio_that_no_model_can_use_is_told_before_it_is_sent(studio: Studio) -> None:
    choose(studio, payload("riff.wav", audio("wav", 2)))
    expect(source(studio)).to_contain_text("The model starter can do nothing with audio. No worker serves one")
    studio.prompt.fill("rock")
    studio.generate_button.click()
    expect(source(studio).get_by_role("alert")).to_have_text("Choose another model, or begin without riff.wav.")
    expect(studio.prompt).to_have_value("rock")
    card = studio.make(PROMPT, seed=7)
    card.get_by_label(re.compile("More for")).click()
    expect(card.get_by_role("button", name="Use its score…")).to_be_visible()
    expect(card.get_by_role("button", name="Continue from here…")).to_have_count(0)


@pytest.mark.usefixtures("tiny")
def test_an_uploaded_file_is_continued_by_a_model_that_can(studio: Studio) -> None:
    choose(studio, payload("riff.wav", audio("wav", 4)))
    source(studio).get_by_role("button", name="Use tiny").click()
    mode = studio.page.get_by_role("combobox", name="How")
    expect(mode).to_have_value("continue_from")
    expect(studio.page.get_by_label("BPM", exact=True)).to_have_count(0)  # the audio has its tempo
    studio.prompt.fill("rock with distorted guitar")
    studio.page.get_by_text("Seconds", exact=True).click()
    studio.page.get_by_label("Seconds", exact=True).last.fill("3")
    studio.page.get_by_label("From second").fill("0.5")
    studio.page.get_by_label("To second").fill("1,5")
    body, card = send(studio, "Generate")
    audio_id = body["audio"]["continue_from"].pop("audio_id")
    assert re.fullmatch("aud_[a-z0-9]{12}", audio_id)
    assert body == {
        "prompt": "rock with distorted guitar",
        "duration": 3,
        "model": "tiny",
        "audio": {"continue_from": {"start": 0.5, "end": 1.5}},
    }
    expect(card.locator(".origin")).to_have_text("continues other audio")


@pytest.mark.usefixtures("tiny")
def test_a_wrong_excerpt_is_marked_with_the_gateways_reason(studio: Studio) -> None:
    choose(studio, payload("riff.wav", audio("wav", 2)))
    source(studio).get_by_role("button", name="Use tiny").click()
    studio.prompt.fill("rock")
    studio.page.get_by_label("To second").fill("99")
    studio.generate_button.click()
    expect(source(studio).get_by_role("alert")).to_contain_text("The audio lasts 2 seconds.")
    expect(studio.page.get_by_label("To second")).to_have_value("99")
    studio.expect_problem("422")


@pytest.mark.usefixtures("tiny")
def test_a_take_is_continued_from_where_it_is_heard(studio: Studio) -> None:
    take = studio.make("tone", duration=2, model="tiny")
    studio.play(take)
    studio.until_position(0.5)
    studio.player.get_by_role("button", name="Pause").click()
    at = studio.position
    open_menu(take, "Continue from here…")
    expect(studio.page.get_by_label("To second")).to_have_value(f"{at:.2f}".rstrip("0").rstrip("."))
    studio.prompt.fill("tone that goes on for 3 seconds")
    body, child = send(studio, "Generate")
    assert body["model"] == "tiny"
    assert body["audio"]["continue_from"] == {"job_id": studio.job_id(take), "end": pytest.approx(at, abs=0.006)}
    expect(child.locator(".origin")).to_have_text("continues other audio")


@pytest.mark.usefixtures("tiny")
def test_what_a_model_announces_is_offered_and_nothing_else(studio: Studio) -> None:
    choose(studio, payload("hum.wav", audio("wav", 2)))
    studio.page.get_by_text("More settings").click()
    model, mode = studio.page.get_by_label("Model", exact=True), studio.page.get_by_role("combobox", name="How")
    model.fill("melody")
    expect(source(studio)).to_contain_text("No worker serves the model melody now.")
    expect(mode).to_have_count(0)
    model.fill("tiny")
    expect(mode.locator("option")).to_have_text(["continue it", "follow its melody"])
    mode.select_option("follow its melody")
    studio.prompt.fill("flute")
    with studio.page.expect_request("**/api/v1/generate") as found:
        studio.generate_button.click()
    body = json.loads(found.value.post_data or "")
    assert list(body["audio"]) == ["melody"]


@needs_axe
@pytest.mark.usefixtures("tiny")
def test_the_ways_to_use_a_source_have_no_barrier(studio: Studio) -> None:
    take = studio.make(PROMPT, seed=7)
    open_menu(take, "Use its score…")
    expect(studio.page.get_by_role("group", name="Instruments to play")).to_be_visible()
    assert barriers(studio, ".compose") == []
    open_menu(take, "Continue from here…")
    expect(studio.page.get_by_label("To second")).to_be_visible()
    assert barriers(studio, ".compose") == []
