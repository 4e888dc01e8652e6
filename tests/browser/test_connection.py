"""The page without its gateway, and with API keys."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import Stack, running_stack, start
from tests.browser.studio import Studio

KEY, OTHER_KEY = "0123456789abcdef" * 3, "fedcba9876543210" * 3


def test_the_page_waits_for_its_gateway_and_continues_by_itself(studio: Studio, stack: Stack) -> None:
    card = studio.make("tone before", bars=4, bpm=120)
    studio.play(card)
    running = studio.card(studio.request("slow", duration=30))
    expect(running).to_have_class("card processing")
    stack.gateway.kill()
    message = studio.page.get_by_text("The service is away. Trying again…")
    expect(message).to_be_visible()
    assert studio.state == "playing"  # the audio is here already
    start(stack.gateway)
    expect(message).to_be_hidden()
    running.get_by_role("button", name="Cancel").click()
    expect(running).to_have_class("card cancelled")
    studio.expect_problem("ERR_CONNECTION_REFUSED")
    studio.forget_network_errors()


def test_a_request_that_was_lost_on_the_way_is_made_once(studio: Studio) -> None:
    """The answer never arrives; the page sends the same key again, and the gateway returns the first job."""
    studio.page.route("**/api/v1/generate", lambda route: (route.fetch(), route.abort()), times=1)
    studio.prompt.fill("tone that got lost")
    studio.generate_button.click()
    expect(studio.page.get_by_role("button", name="Waiting…")).to_be_visible()
    group = studio.page.get_by_role("group", name="tone that got lost")
    expect(group.locator(".completed")).to_have_count(1)
    studio.expect_problem("ERR_FAILED")


def test_two_tabs_show_the_same_takes(studio: Studio, context: BrowserContext) -> None:
    other = Studio(context.new_page(), studio.url)
    other.page.goto(studio.url)
    studio.prompt.fill("tone in two tabs")
    studio.generate_button.click()
    card = other.page.get_by_role("group", name="tone in two tabs").get_by_role("article")
    expect(card).to_have_class("card completed")
    card.get_by_role("button", name=re.compile("Favourite")).click()
    mine = studio.card(studio.job_id(card))
    expect(mine.get_by_role("button", name=re.compile("Favourite"))).to_have_attribute("aria-pressed", "true")


class Keyed:
    """A gateway that needs the key of a file, and its page."""

    def __init__(self, page: Studio, stack: Stack, key_file: Path) -> None:
        self.page = page
        self.stack = stack
        self._key_file = key_file

    def enter(self, key: str) -> None:
        self.page.page.get_by_label("This service needs an API key").fill(key)
        self.page.page.get_by_role("button", name="Use this key").click()

    def replace_key(self, key: str) -> None:
        """Replace the key as an operator does: keys are read at start."""
        self._key_file.write_text(f"me:{key}\n")
        self.stack.gateway.kill()
        start(self.stack.gateway)


@pytest.fixture
def settings() -> dict[str, str]:
    """Further settings of the gateway that needs a key; a test may parametrize them."""
    return {}


@pytest.fixture
def with_key(
    context: BrowserContext,
    s3_environment: dict[str, dict[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
    settings: dict[str, str],
) -> Iterator[Keyed]:
    folder = tmp_path_factory.mktemp("keyed")
    key_file = folder / "keys"
    key_file.write_text(f"me:{KEY}\n")
    with running_stack(folder, s3_environment, API_KEYS_FILE=str(key_file), **settings) as stack:
        opened = Studio(context.new_page(), stack.url)
        opened.page.goto(stack.url)
        yield Keyed(opened, stack, key_file)


@pytest.fixture
def keyed(with_key: Keyed) -> Studio:
    """The page of a gateway that needs a key."""
    return with_key.page


def test_a_key_is_asked_for_and_then_all_works(keyed: Studio) -> None:
    page = keyed.page
    field = page.get_by_label("This service needs an API key")
    field.fill("k" * 40)
    page.get_by_role("button", name="Use this key").click()
    expect(page.get_by_role("alert")).to_contain_text("unknown")
    field.fill(KEY)
    page.get_by_role("button", name="Use this key").click()
    keyed.prompt.fill("slow tone with a key")
    keyed.generate_button.click()
    card = keyed.cards.first
    keyed.play(card)  # live audio over the WebSocket
    card.get_by_role("button", name="Stop and keep").click()
    with page.expect_download() as download:
        card.get_by_role("link", name=re.compile("Download")).click()
    assert download.value.path().read_bytes()[:4] == b"RIFF"
    assert download.value.suggested_filename.endswith(".wav")


def test_a_drag_with_a_key_carries_the_file_itself(keyed: Studio) -> None:
    page = keyed.page
    page.get_by_label("This service needs an API key").fill(KEY)
    page.get_by_role("button", name="Use this key").click()
    keyed.prompt.fill("tone of 1 second")
    keyed.generate_button.click()
    link = keyed.cards.first.get_by_role("link", name=re.compile("Download"))
    link.dispatch_event("pointerdown")
    page.wait_for_function(
        """link => {
            const data = new DataTransfer();
            link.dispatchEvent(new DragEvent("dragstart", { dataTransfer: data, bubbles: true, cancelable: true }));
            return /^audio.wav:.+[.]wav:blob:/.test(data.getData("DownloadURL"));
        }""",
        arg=link.element_handle(),
    )


def test_a_revoked_key_is_asked_for_again_while_the_music_goes_on(with_key: Keyed) -> None:
    with_key.enter(KEY)
    studio, page = with_key.page, with_key.page.page
    studio.prompt.fill("tone of 4 seconds")
    studio.generate_button.click()
    expect(studio.cards.first).to_have_class("card completed")  # only a whole take can loop
    studio.play(studio.cards.first)
    page.keyboard.press("l")
    with_key.replace_key(OTHER_KEY)
    expect(page.get_by_label("This service needs an API key")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("unknown")
    studio.until_position(3)
    page.wait_for_function("() => studio.player.position.value < 2")
    assert studio.state == "playing"
    with_key.enter(OTHER_KEY)
    expect(page.get_by_role("group", name="tone of 4 seconds")).to_be_visible()  # the takes belong to the key's name
    expect(studio.prompt).to_have_value("tone of 4 seconds")


@pytest.mark.parametrize("settings", [{"KEY_DAILY_SECONDS": "6"}])
def test_a_reached_quota_says_so_and_less_is_made(with_key: Keyed) -> None:
    with_key.enter(KEY)
    studio = with_key.page
    studio.prompt.fill("tone of 4 seconds")
    studio.generate_button.click()
    expect(studio.cards).to_have_count(1)
    studio.prompt.fill("tone of 5 seconds")
    studio.generate_button.click()
    expect(studio.page.get_by_role("alert")).to_contain_text("6 seconds of audio in 24 hours")
    expect(studio.generate_button).to_be_visible()  # nothing waits: a day would be too long
    studio.prompt.fill("tone of 1 second")
    expect(studio.page.get_by_role("alert")).to_have_count(0)
    studio.generate_button.click()
    expect(studio.page.get_by_role("group", name="tone of 1 second").locator(".completed")).to_have_count(1)
