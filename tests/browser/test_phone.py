"""On a phone: the lock screen's controls, the player at the bottom, and what a screen reader says."""

import re
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import PHONE
from tests.browser.studio import Studio

# Chromium shows no lock screen here, so the page's calls are kept, and its handlers are called as a phone does.
LOCK_SCREEN = """
    globalThis.lockScreen = { handlers: {}, position: null, media: null };
    MediaSession.prototype.setActionHandler = (action, handler) => (lockScreen.handlers[action] = handler);
    const { setPositionState } = MediaSession.prototype;
    MediaSession.prototype.setPositionState = function (state) {
        setPositionState.call(this, state);
        lockScreen.position = state;
    };
    const { play } = HTMLMediaElement.prototype;
    HTMLMediaElement.prototype.play = function () {
        lockScreen.media = this;
        return play.call(this);
    };
"""


@pytest.fixture
def options() -> dict[str, Any]:
    return PHONE


@pytest.fixture
def context(context: BrowserContext) -> BrowserContext:
    context.add_init_script(LOCK_SCREEN)
    return context


def test_the_lock_screen_shows_what_plays_and_controls_it(studio: Studio) -> None:
    page = studio.page
    studio.play(studio.make("tone", title="Night drive", bars=4, bpm=120, key="Am", loop=True))
    shown = page.evaluate("[navigator.mediaSession.metadata.title, navigator.mediaSession.metadata.artist]")
    assert shown == ["Night drive", "120 BPM · A minor · 4 bars · loop"]
    page.evaluate("lockScreen.handlers.pause()")
    assert (studio.state, page.evaluate("navigator.mediaSession.playbackState")) == ("paused", "paused")
    page.evaluate("lockScreen.handlers.seekto({ action: 'seekto', seekTime: 4 })")
    assert studio.position == 4
    assert page.evaluate("lockScreen.position") == {"duration": 8, "position": 4, "playbackRate": 1}
    page.evaluate("lockScreen.handlers.seekforward({ action: 'seekforward' })")
    assert studio.position == 6
    page.evaluate("lockScreen.handlers.play()")
    studio.until_position(6.3)
    assert page.evaluate("navigator.mediaSession.playbackState") == "playing"


def test_a_browser_takes_the_page_for_a_music_player(studio: Studio) -> None:
    """Chromium wants a media element of at least five seconds that plays; a call or another player pauses it."""
    page = studio.page
    studio.play(studio.make("tone", duration=4, loop=True))
    page.wait_for_function("() => lockScreen.media.currentTime > 0")
    assert page.evaluate("[lockScreen.media.loop, lockScreen.media.duration]") == [True, 10]
    page.evaluate("lockScreen.media.pause()")
    page.wait_for_function("() => studio.player.state.value === 'paused'")
    page.evaluate("void studio.player.toggle(), studio.player.pause(), void studio.player.toggle()")
    studio.until_position(studio.position + 0.3)  # the page's own pause does not stop what it starts again


def test_the_player_stays_and_covers_no_take(studio: Studio) -> None:
    studio.play(studio.make("tone", duration=4, loop=True))
    for number in range(3):
        studio.make("tone", duration=1, seed=number)
    studio.page.evaluate("scrollTo(0, 0)")
    studio.describe("tone for 1 second")
    with studio.page.expect_response("**/api/v1/generate") as answer:
        studio.generate_button.click()
    expect(studio.card(answer.value.json()["job_id"])).to_be_in_viewport()
    expect(studio.player).to_be_in_viewport(ratio=1)
    studio.page.wait_for_function(
        """() => {
            scrollTo(0, document.documentElement.scrollHeight); // again, as cards may still grow
            const cards = [...document.querySelectorAll(".card")].map((card) => card.getBoundingClientRect().bottom);
            return Math.max(...cards) <= document.querySelector(".player").getBoundingClientRect().top;
        }"""
    )
    expect(studio.player).to_be_in_viewport(ratio=1)


def test_a_menu_is_seen_whole_above_the_player(studio: Studio) -> None:
    card = studio.make("tone", duration=4, outputs=["midi", "stems"])
    studio.play(card)
    studio.page.evaluate(
        """summary => {
            const { bottom } = summary.getBoundingClientRect();
            scrollBy(0, bottom - document.querySelector(".player").getBoundingClientRect().top);
        }""",
        card.locator("summary").element_handle(),
    )
    card.locator("summary").click()
    studio.page.wait_for_function(
        """() => {
            const { top, bottom } = document.querySelector(".menu[open] .items").getBoundingClientRect();
            return top >= 0 && bottom <= document.querySelector(".player").getBoundingClientRect().top;
        }"""
    )


def test_a_message_is_seen_wherever_the_page_is_scrolled(studio: Studio) -> None:
    for number in range(4):
        studio.make("tone", duration=1, seed=number)
    studio.page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    studio.page.route("**/api/v1/jobs*", lambda route: route.abort())
    expect(studio.notice).to_have_text("The service is away. Trying again…")
    expect(studio.notice).to_be_in_viewport(ratio=1)
    studio.page.unroute("**/api/v1/jobs*")
    expect(studio.notice).to_be_empty()
    studio.forget_network_errors()


def test_progress_is_not_read_out(studio: Studio) -> None:
    """A screen reader hears of the end of a take, not of each step towards it."""
    studio.page.evaluate(
        """() => {
            const region = document.querySelector("[role=status].visually-hidden");
            globalThis.heard = [];
            new MutationObserver(() => heard.push(region.textContent)).observe(
                region, { childList: true, characterData: true, subtree: true });
        }"""
    )
    card = studio.card(studio.request("slow", duration=2))
    expect(card).to_have_class(re.compile("completed"))
    studio.page.wait_for_function("() => heard.length > 0")
    assert studio.page.evaluate("heard") == ["Take ready: slow"]
