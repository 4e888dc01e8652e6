"""Five hundred takes: the list is read page by page, and stays in order, searchable and light."""

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import nats
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Stack, running_stack
from tests.browser.studio import Studio
from tests.records import fill

TAKES = 500
ORDER = "nodes => nodes.map((node) => node.dataset.job)"


@pytest.fixture(scope="module")
def stack(
    in_containers: bool, s3_environment: dict[str, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A gateway whose bucket has many records."""
    if in_containers:
        pytest.skip("one stack is enough for this")
    with running_stack(tmp_path_factory.mktemp("long-list"), s3_environment) as running:
        add_takes(running, TAKES)
        yield running


def add_takes(stack: Stack, count: int, first: int = 0) -> list[str]:
    """Put takes into the bucket, all within a moment; returns their ids."""

    async def add() -> list[str]:
        client = await nats.connect(stack.nats_urls["operator"])
        jobs = await fill(client, count, first)
        await client.close()
        return jobs

    with ThreadPoolExecutor(1) as threads:
        return threads.submit(lambda: asyncio.run(add())).result()


def load_all(studio: Studio) -> list[str]:
    """Scroll to the end until all takes are there, as a person with patience does; returns their order."""
    expect(studio.cards.first).to_be_visible()
    studio.page.wait_for_function(
        """count => {
            scrollTo(0, document.documentElement.scrollHeight);
            return document.querySelectorAll(".card").length >= count;
        }""",
        arg=TAKES,
    )
    order: list[str] = studio.page.locator(".card").evaluate_all(ORDER)
    return order


def test_all_takes_are_listed_youngest_first_and_a_reload_changes_nothing(studio: Studio) -> None:
    asked: list[str] = []
    studio.page.on("request", lambda request: asked.append(request.url))
    expect(studio.cards.first).to_be_visible()
    first = studio.cards.evaluate_all(ORDER)
    order = load_all(studio)
    assert order == [f"gen_{number:012d}" for number in reversed(range(TAKES))]
    assert order[: len(first)] == first  # what was there has not moved
    cursors = [url for url in asked if "cursor=" in url]
    assert len(cursors) == len(set(cursors)) == 5  # 50 takes first, then 100 at a time; no page is asked for twice
    studio.page.reload()
    assert load_all(studio) == order


def test_the_search_finds_a_take_that_is_not_loaded_yet(studio: Studio) -> None:
    shown = studio.page.get_by_role("heading", level=2).first
    youngest = shown.inner_text()
    studio.page.get_by_role("searchbox").fill("synthesizer gen_000000000003")
    expect(studio.cards).to_have_count(1)
    expect(studio.card("gen_000000000003")).to_be_visible()
    studio.page.get_by_role("searchbox").fill("")
    expect(shown).to_have_text(youngest)


def test_a_favourite_far_down_is_kept_and_found(studio: Studio) -> None:
    load_all(studio)
    far = studio.card("gen_000000000007")
    far.scroll_into_view_if_needed()
    far.get_by_role("button", name=re.compile("Favourite")).click()
    studio.page.reload()
    studio.page.get_by_role("button", name="Only favourites").click()
    expect(studio.cards).to_have_count(1)
    expect(far).to_be_visible()
