"""Several takes from one press: they stand together, and end one by one or all at once."""

import re

from playwright.sync_api import expect

from tests.browser.studio import Studio


def make(studio: Studio, prompt: str, takes: int) -> list[str]:
    """Ask for several takes; returns the ids of their jobs."""
    studio.prompt.fill(prompt)
    count = studio.page.get_by_role("group", name="How many takes").get_by_role("spinbutton")
    for _ in range(takes - 1):
        studio.page.get_by_role("button", name="More takes").click()
    expect(count).to_have_value(str(takes))
    with studio.page.expect_response("**/api/v1/generate") as answer:
        studio.generate_button.click()
    return [take["job_id"] for take in answer.value.json()["takes"]]


def test_three_takes_stand_together_and_differ_in_their_seeds(studio: Studio) -> None:
    ids = make(studio, "tone in three takes", 3)
    group = studio.page.get_by_role("group", name="tone in three takes")
    expect(group.locator(".completed")).to_have_count(3)
    assert group.get_by_role("article").evaluate_all("nodes => nodes.map((node) => node.dataset.job)") == ids[::-1]
    expect(group.get_by_role("button", name="Take 3", exact=True)).to_be_in_viewport()
    seeds = [studio.status(job_id)["seed"] for job_id in ids]
    for number, (job_id, seed) in enumerate(zip(ids, seeds, strict=True)):
        assert seed == (seeds[0] + number) % 2**32
        expect(studio.card(job_id)).to_contain_text(f"#{seed}")
    studio.play(studio.card(ids[1]))


def test_one_of_several_takes_is_cancelled_and_then_all_others(studio: Studio) -> None:
    ids = make(studio, "slow in four takes for 60 seconds", 4)
    group = studio.page.get_by_role("group", name="slow in four takes")
    studio.card(ids[0]).get_by_role("button", name="Cancel").click()
    expect(studio.card(ids[0])).to_have_class("card cancelled")
    expect(group.locator(".cancelled")).to_have_count(1)
    with studio.page.expect_request(lambda request: request.method == "DELETE") as call:
        group.get_by_role("button", name="Cancel all 3").click()
    assert call.value.url.endswith("?takes=1")
    expect(group.locator(".cancelled")).to_have_count(4)
    expect(group.get_by_role("button", name=re.compile("Cancel"))).to_have_count(0)


def test_more_takes_than_possible_are_refused_beside_the_number(studio: Studio) -> None:
    studio.prompt.fill("tone")
    studio.page.get_by_role("group", name="How many takes").get_by_role("spinbutton").fill("9")
    studio.generate_button.click()
    expect(studio.page.get_by_role("alert")).to_contain_text("8")
    studio.expect_problem("422")
