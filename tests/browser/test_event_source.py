"""A browser's own EventSource on the stream of a job's events, as docs/api.md shows it."""

from typing import Any

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.conftest import Stack, start

LISTEN = """
async () => {
  const answer = await fetch("/api/v1/generate", {
    method: "POST", headers: {"Content-Type": "application/json"},
    body: JSON.stringify({prompt: "slow", duration: 30}),
  });
  const job = (await answer.json()).job_id;
  window.job = job; window.events = []; window.opened = 0; window.finished = false;
  const source = new EventSource(`/api/v1/jobs/${job}/events`);
  source.onopen = () => { window.opened += 1; };
  source.onmessage = (message) => { window.events.push(JSON.parse(message.data)); };
  source.onerror = () => { window.finished = source.readyState === EventSource.CLOSED; };
}
"""
CANCEL = "() => fetch(`/api/v1/jobs/${window.job}`, {method: 'DELETE'}).then((answer) => answer.status)"


@pytest.mark.timeout(120)
def test_event_source_follows_a_job_across_a_restart_of_the_gateway(context: BrowserContext, stack: Stack) -> None:
    page = context.new_page()
    page.goto(f"{stack.url}/health/live")
    page.evaluate(LISTEN)
    page.wait_for_function("window.events.some((event) => event.type === 'progress')")
    stack.gateway.kill()
    start(stack.gateway)
    page.wait_for_function("window.opened >= 2", timeout=30_000)
    assert page.evaluate(CANCEL) == 200
    page.wait_for_function("window.finished", timeout=30_000)  # the answer 204 ends the reconnecting
    events: list[dict[str, Any]] = page.evaluate("window.events")
    lifecycle = list(dict.fromkeys(event["type"] for event in events if event["type"] != "progress"))
    assert lifecycle[-2:] == ["processing", "cancelled"]
    assert [event["seq"] for event in events if event["type"] == "cancelled"] == [events[-1]["seq"]]
