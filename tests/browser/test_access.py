"""Each state of the page is usable by all: axe finds nothing in light, dark and phone size, and nothing overflows."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP, PHONE
from tests.browser.studio import AXE, Studio

pytestmark = pytest.mark.skipif(not AXE.is_file(), reason="needs the page's packages: run `just web`")

LOOKS: dict[str, dict[str, Any]] = {
    "light": DESKTOP | {"color_scheme": "light"},
    "dark": DESKTOP | {"color_scheme": "dark"},
    "phone": PHONE,
    "narrow": {"viewport": {"width": 320, "height": 640}, "reduced_motion": "reduce", "color_scheme": "dark"},
}


def filled(studio: Studio) -> None:
    studio.prompt.fill("8 bars of house at 124 bpm with vocals")
    expect(studio.page.locator("s")).to_be_visible()
    studio.page.get_by_text("More settings").click()


def playing(studio: Studio) -> None:
    first = studio.make("tone", bars=4, bpm=120, seed=1, outputs=["midi", "stems"])
    studio.play(first)
    studio.play(studio.make("tone", bars=4, bpm=120, seed=2))


def running(studio: Studio) -> None:
    card = studio.card(studio.request("slow", duration=4))
    expect(card).to_have_class("card processing")


def several(studio: Studio) -> None:
    studio.post("/api/v1/generate", {"prompt": "slow", "duration": 4, "variations": 3})
    expect(studio.page.get_by_role("button", name="Cancel all 3")).to_be_visible()


def failed(studio: Studio) -> None:
    expect(studio.card(studio.request("fail", duration=1))).to_have_class("card failed")


def refused(studio: Studio) -> None:
    studio.prompt.fill(" ")
    studio.generate_button.click()
    expect(studio.page.get_by_role("alert")).to_be_visible()


def keys(studio: Studio) -> None:
    studio.page.locator("body").press("?")
    expect(studio.page.get_by_role("dialog")).to_be_visible()


STATES = [filled, refused, running, several, playing, failed, keys]


@pytest.fixture(params=LOOKS, ids=list(LOOKS))
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    return LOOKS[request.param]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_a_state_has_no_barrier(studio: Studio, state: Callable[[Studio], None]) -> None:
    state(studio)
    assert studio.violations() == []
    page_width, window_width = studio.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert page_width <= window_width


def test_a_menu_has_no_barrier(studio: Studio) -> None:
    """Alone: it covers other controls, as it should."""
    studio.make("tone", duration=1, outputs=["midi", "stems"]).locator("summary").click()
    assert studio.violations(within=".menu[open]") == []


def test_a_new_take_scrolls_into_view(studio: Studio) -> None:
    studio.describe("tone for 1 second")
    with studio.page.expect_response("**/api/v1/generate") as answer:
        studio.generate_button.click()
    expect(studio.card(answer.value.json()["job_id"])).to_be_in_viewport()
