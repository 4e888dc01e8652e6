"""Takes that are made of others, with the included model: what is sent, what stands where, and what it says."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import STARTER
from tests.browser.looks import barriers, needs_axe
from tests.browser.studio import Studio

PROMPT = "4 bars of house with piano, bass and drums at 124 bpm in A minor"


@pytest.fixture(scope="module")
def engine() -> dict[str, str]:
    return STARTER


@pytest.fixture
def take(studio: Studio) -> Locator:
    return studio.make(PROMPT, seed=7)


def name_of(card: Locator) -> str:
    return card.locator("button.name").inner_text()


def open_form(card: Locator, item: str) -> Locator:
    card.get_by_label(re.compile("More for")).click()
    card.get_by_role("button", name=item).click()
    return card.get_by_role("form")


def send(studio: Studio, form: Locator, button: str) -> tuple[dict[str, Any], Locator]:
    """Press the form's button; returns what the page sent, and the card of the child when it is complete."""
    with studio.page.expect_response(re.compile("/api/v1/jobs/gen_[a-z0-9]+/(vary|extend|replace)")) as answer:
        form.get_by_role("button", name=button).click()
    assert answer.value.ok, answer.value.text()
    child = studio.card(answer.value.json()["job_id"])
    expect(child).to_have_class("card completed")
    return dict(json.loads(answer.value.request.post_data or "")), child


def test_the_looped_bars_are_replaced_for_some_instruments(studio: Studio, take: Locator) -> None:
    form = open_form(take, "Replace bars…")
    first = form.get_by_label("From bar")
    expect(first).to_be_focused()
    studio.drag(take.locator(".waveform"), 0.27, 0.72)
    expect(first).to_have_value("2")
    expect(form.get_by_label("To bar")).to_have_value("3")
    instruments = form.get_by_role("group", name="Instruments to compose again")
    names = instruments.get_by_role("button").all_inner_texts()
    assert len(names) >= 3
    for name in names[1:]:
        instruments.get_by_role("button", name=name).click()
    form.get_by_label("Description of the new bars").fill("busy")
    body, child = send(studio, form, "Replace bars 2–3")
    assert body == {"from_bar": 2, "to_bar": 3, "instruments": names[:1], "prompt": "busy"}
    expect(form).to_have_count(0)
    expect(child.locator(".origin")).to_have_text(f"{name_of(take)}, bars 2–3 replaced ({names[0]})")
    group = studio.page.get_by_role("group", name=PROMPT)
    expect(group.get_by_role("article").first).to_have_attribute("data-job", studio.job_id(child))
    expect(child).to_be_in_viewport()
    marked = child.locator(".fresh").evaluate("each => [parseFloat(each.style.left), parseFloat(each.style.width)]")
    assert marked == pytest.approx([25, 50], abs=0.5)
    studio.play(child)


def test_a_take_gets_longer_and_stays_with_its_parent(studio: Studio, take: Locator) -> None:
    form = open_form(take, "Extend…")
    form.get_by_label("Bars to add").fill("2")
    form.get_by_text("at the start").click()
    body, child = send(studio, form, "Add 2 bars")
    assert body == {"bars": 2, "at": "start"}
    assert studio.status(studio.job_id(child))["bars"] == 6
    expect(child.locator(".origin")).to_have_text(f"{name_of(take)}, longer at the start")
    expect(child).to_contain_text("6 bars")
    studio.page.reload()
    group = studio.page.get_by_role("group", name=PROMPT)
    ids = group.get_by_role("article").evaluate_all("nodes => nodes.map((node) => node.dataset.job)")
    assert {studio.job_id(take), studio.job_id(child)} <= set(ids)


def test_more_like_this_has_a_strength(studio: Studio, take: Locator) -> None:
    form = open_form(take, "More like this…")
    strength = form.get_by_role("slider")
    expect(strength).to_be_focused()
    strength.press("ArrowRight")
    expect(form.locator("output")).to_have_text("35 %")
    body, child = send(studio, form, "Make a variation")
    assert body == {"strength": 0.35}
    expect(child.locator(".origin")).to_have_text(f"{name_of(take)}, 35 % new")


def test_a_refusal_shows_the_gateways_reason_and_keeps_the_form(studio: Studio, take: Locator) -> None:
    form = open_form(take, "Replace bars…")
    form.get_by_label("To bar").fill("99")
    form.get_by_role("button", name=re.compile("^Replace")).click()
    expect(form.get_by_role("alert")).to_contain_text("The take has 4 bars.")
    expect(form.get_by_label("To bar")).to_have_attribute("aria-invalid", "true")
    studio.expect_problem("422")
    form.get_by_label("To bar").press("Escape")
    expect(form).to_have_count(0)
    expect(take.locator("summary")).to_be_focused()


def test_stems_are_made_afterwards_of_the_same_score(studio: Studio, take: Locator) -> None:
    menu = take.get_by_label(re.compile("More for"))
    menu.click()
    with studio.page.expect_response("**/vary") as answer:
        take.get_by_role("button", name="Make stems and MIDI").click()
    child = studio.card(answer.value.json()["job_id"])
    expect(child).to_have_class("card completed")
    expect(child.locator(".origin")).to_have_text(f"{name_of(take)}, the same score")
    child.get_by_label(re.compile("More for")).click()
    expect(child.get_by_role("link", name=re.compile("Stem: .*bass"))).to_be_visible()
    expect(child.get_by_role("link", name="MIDI")).to_be_visible()
    expect(child.get_by_role("button", name="Make stems and MIDI")).to_have_count(0)


@needs_axe
def test_the_forms_have_no_barrier(studio: Studio, take: Locator) -> None:
    for item in ("More like this…", "Extend…", "Replace bars…"):
        open_form(take, item)
        assert barriers(studio, f"[data-job={studio.job_id(take)}]") == []
