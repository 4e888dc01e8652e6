"""The API reference at /docs in Chromium, with nothing but the gateway."""

from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import Stack


def test_the_reference_draws_the_document_and_loads_nothing_from_elsewhere(
    context: BrowserContext, stack: Stack
) -> None:
    page, problems, requests = context.new_page(), [], []
    page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{stack.url}/docs")
    expect(page.get_by_role("heading", name="Generate music from a prompt")).to_be_visible()
    expect(page.get_by_text("/api/v1/webhooks/deliveries").first).to_be_attached()
    assert problems == []
    assert [url for url in requests if not url.startswith((stack.url, "data:", "blob:"))] == []
