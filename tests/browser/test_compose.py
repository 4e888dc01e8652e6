"""The form: what a person sets is sent, and nothing else."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Request, expect

from tests.browser.studio import Studio


def sent(studio: Studio) -> dict[str, Any]:
    """Press Generate; returns the body that the page sends."""
    with studio.page.expect_request(lambda request: request.url.endswith("/api/v1/generate")) as found:
        studio.generate_button.click()
    request: Request = found.value
    return dict(json.loads(request.post_data or ""))


def test_only_what_was_set_is_sent_so_that_the_words_count(studio: Studio) -> None:
    studio.prompt.fill("tone of 1 second")
    assert sent(studio) == {"prompt": "tone of 1 second"}


def test_every_setting_reaches_the_gateway(studio: Studio) -> None:
    page = studio.page
    studio.prompt.fill("tone")
    page.get_by_text("Bars", exact=True).click()
    page.get_by_label("Bars", exact=True).last.fill("1")
    page.get_by_label("BPM", exact=True).fill("120")
    page.get_by_role("button", name="Double tempo").click()
    page.get_by_label("Key", exact=True).select_option("A minor")
    page.get_by_label("Meter", exact=True).select_option("3/4")
    page.get_by_label("Loop", exact=True).select_option("yes")
    page.get_by_label("Seed", exact=True).fill("7")
    page.get_by_text("More settings").click()
    page.get_by_label("MIDI and stems").check()
    page.get_by_label("Leave out").fill("drums")
    page.get_by_label("Title", exact=True).fill("Night")
    page.get_by_label("File", exact=True).select_option("flac")
    page.get_by_label("Sample rate").select_option("48000")
    page.get_by_label("Bit depth").select_option("int24")
    page.get_by_label("Loudness, LUFS").fill("-16")
    page.get_by_label("Temperature").fill("1.5")
    page.get_by_label("Closeness to the text").fill("2")
    page.get_by_label("Top k").fill("100")
    page.get_by_label("Top p").fill("0.9")
    page.get_by_label("Priority").select_option("batch")
    page.get_by_label("Stored results").select_option("not used")
    page.get_by_role("button", name="More takes").click()
    assert sent(studio) == {
        "prompt": "tone",
        "bars": 1,
        "bpm": 240,
        "key": "A minor",
        "meter": "3/4",
        "loop": True,
        "seed": 7,
        "variations": 2,
        "outputs": ["midi", "stems"],
        "negative_prompt": "drums",
        "priority": "batch",
        "cache": False,
        "title": "Night",
        "format": "flac",
        "sample_rate": 48000,
        "sample_format": "int24",
        "loudness": -16,
        "temperature": 1.5,
        "cfg_coef": 2,
        "top_k": 100,
        "top_p": 0.9,
    }
    expect(studio.cards.first).to_have_class("card completed")


def test_no_loop_can_be_stated_against_the_description(studio: Studio) -> None:
    studio.prompt.fill("2-bar tone loop at 240 bpm")
    loop = studio.page.get_by_label("Loop", exact=True)
    expect(loop).to_contain_text("text: yes")
    loop.select_option("no")
    with studio.page.expect_response("**/api/v1/generate") as answer:
        assert sent(studio) == {"prompt": "2-bar tone loop at 240 bpm", "loop": False}
    card = studio.card(answer.value.json()["job_id"])
    expect(card).to_have_class("card completed")
    job = studio.status(studio.job_id(card))
    assert (job["bars"], job["loop"]) == (2, False)
    card.get_by_label(re.compile("More for")).click()
    card.get_by_role("button", name="Reuse settings").click()
    expect(loop).to_have_value("no")


def test_a_webhook_is_sent_with_its_events_and_the_gateways_refusal_is_shown(studio: Studio) -> None:
    page = studio.page
    studio.prompt.fill("tone of 1 second")
    page.get_by_text("More settings").click()
    page.get_by_label("Webhook", exact=True).fill("https://studio.example.com/hook")
    page.get_by_label("It is told").select_option("of start and end")
    assert sent(studio) == {
        "prompt": "tone of 1 second",
        "webhook": "https://studio.example.com/hook",
        "webhook_events": ["processing", "completed", "failed", "cancelled"],
    }
    # The gateway of these tests has no secret to sign webhooks with.
    expect(page.locator("#problem-webhook")).to_contain_text("Ask the operator")
    studio.expect_problem("422")
    page.get_by_label("Webhook", exact=True).fill("")
    assert sent(studio) == {"prompt": "tone of 1 second"}
    expect(studio.cards.first).to_have_class("card completed")


def test_the_form_survives_a_reload(studio: Studio) -> None:
    studio.prompt.fill("slow piano")
    studio.page.get_by_label("BPM", exact=True).fill("92.5")
    studio.page.reload()
    expect(studio.prompt).to_have_value("slow piano")
    expect(studio.page.get_by_label("BPM", exact=True)).to_have_value("92.5")


def test_the_words_are_read_while_they_are_typed(studio: Studio) -> None:
    readings = studio.page.get_by_role("list", name="How the description is read")
    studio.prompt.fill("8 bars of house at 124 bpm in A minor with vocals")
    expect(readings).to_contain_text("124 BPM")
    expect(readings).to_contain_text("A minor")
    expect(readings.locator("s")).to_have_text("vocals")
    expect(studio.page.get_by_text("8 bars", exact=True).last).to_be_visible()
    studio.prompt.fill("jazz")
    expect(readings).not_to_contain_text("124 BPM")
    studio.prompt.fill("")
    expect(readings).to_have_count(0)


def test_taps_set_the_tempo(studio: Studio) -> None:
    # The browser's clock: each look at it comes half a second after the one before, however busy the machine is.
    studio.page.evaluate("() => { let moment = 0; performance.now = () => (moment += 500); }")
    tap = studio.page.get_by_role("button", name="Tap")
    for _ in range(4):
        tap.click()
    expect(studio.page.get_by_label("BPM", exact=True)).to_have_value("120")


def test_a_locked_seed_stays_and_a_rolled_one_is_used_once(studio: Studio) -> None:
    page, seed = studio.page, studio.page.get_by_label("Seed", exact=True)
    studio.prompt.fill("tone for 1 second")
    page.get_by_role("button", name="Keep the seed").click()
    kept = int(seed.input_value())
    assert [sent(studio)["seed"], sent(studio)["seed"]] == [kept, kept]
    page.get_by_role("button", name="Keep the seed").click()
    assert "seed" not in sent(studio)


@pytest.mark.parametrize("press", ["Control+Enter", "Meta+Enter"])
def test_a_key_in_the_prompt_generates(studio: Studio, press: str) -> None:
    studio.prompt.fill(f"tone by {press[:4]}")
    with studio.page.expect_response("**/api/v1/generate"):
        studio.prompt.press(press)


def test_a_refused_field_is_marked_with_the_reason(studio: Studio) -> None:
    studio.prompt.fill("tone")
    studio.page.get_by_label("BPM", exact=True).fill("999")
    studio.generate_button.click()
    expect(studio.page.get_by_label("BPM", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(studio.page.get_by_role("alert")).to_have_text("Must be at most 240.")
    studio.expect_problem("422")


def test_surprise_and_genres_write_a_description(studio: Studio) -> None:
    studio.page.get_by_role("button", name="Surprise me").click()
    expect(studio.prompt).not_to_have_value("")
    studio.page.get_by_role("button", name="jazz", exact=True).click()
    expect(studio.prompt).to_have_value("jazz music, featuring piano, double bass, saxophone, trumpet and drums")
