"""Takes that came while the page looked away."""

from playwright.sync_api import expect

from tests.browser.conftest import Stack
from tests.browser.studio import Studio
from tests.browser.test_long_list import add_takes


def test_many_takes_that_came_at_once_leave_no_hole(studio: Studio, stack: Stack) -> None:
    """More than one answer of the list holds, between two looks of the page."""
    known = studio.make("tone that is known", duration=1)
    oldest, *others = add_takes(stack, 450, first=1000)
    expect(studio.card(others[-1])).to_be_visible()
    studio.page.get_by_role("searchbox").fill(oldest)
    expect(studio.card(oldest)).to_be_visible()
    studio.page.get_by_role("searchbox").fill("that is known")
    expect(known).to_be_visible()
