"""Chromium on the page of a real gateway, with a worker whose engine works in real time."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.browser.studio import Studio
from tests.faults.services import gateway_server, worker_server
from tests.servers import Server, embedded_nats

HERE = Path(__file__).parent
# Music is made meanwhile, perhaps on a busy machine.
expect.set_options(timeout=30_000)
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 860}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


class Stack:
    """The servers behind the page."""

    def __init__(self, url: str, nats_urls: dict[str, str], nats: Server, gateway: Server, worker: Server) -> None:
        self.url = url
        self.nats_urls = nats_urls
        self.nats = nats
        self.gateway = gateway
        self.worker = worker


def start(server: Server) -> None:
    """Start a server in a thread of its own: Playwright occupies the event loop of this one."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(server.start).result()


# Makes MIDI and a stem of tones, as the prompt's first word says.
SCORING = {"MUSICGEN_ENGINE": "tests.engines:load_scoring", "MAX_CONCURRENT_JOBS": "2"}
# The included model, which writes scores and plays them.
STARTER = {"MUSICGEN_ENGINE": "batching"}


@contextmanager
def running_stack(
    folder: Path, s3: dict[str, dict[str, str]], engine: dict[str, str] = SCORING, /, **settings: str
) -> Iterator[Stack]:
    """A gateway with these settings, and a worker with this engine."""
    with ExitStack() as servers:
        nats, urls = embedded_nats(folder / "nats")
        gateway, url = gateway_server(folder, 1, {"NATS_URL": urls["gateway"], **s3["gateway"], **settings}, {})
        worker = worker_server(folder, 2, {"NATS_URL": urls["worker"], **s3["worker"], **engine}, {})
        for server in (nats, gateway, worker):
            servers.callback(server.stop)
            start(server)
        yield Stack(url, urls, nats, gateway, worker)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE) and CHROMIUM is None:
            item.add_marker(pytest.mark.skip(reason="needs Chromium: apt-get install chromium"))


@pytest.fixture(scope="module")
def engine() -> dict[str, str]:
    """The worker's engine; a module may override it."""
    return SCORING


@pytest.fixture(scope="module")
def stack(
    in_containers: bool,
    s3_environment: dict[str, dict[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
    engine: dict[str, str],
) -> Iterator[Stack]:
    if in_containers:
        pytest.skip("one stack is enough for this")
    with running_stack(tmp_path_factory.mktemp("studio"), s3_environment, engine) as running:
        yield running


@pytest.fixture(scope="module")
def browser(stack: Stack) -> Iterator[Browser]:
    """Chromium. It starts behind the first servers and ends before them."""
    assert CHROMIUM is not None
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def options() -> dict[str, Any]:
    """The options of the browser's context; a test may parametrize them."""
    return DESKTOP


@pytest.fixture
def context(browser: Browser, options: dict[str, Any]) -> Iterator[BrowserContext]:
    context = browser.new_context(**options)
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture
def studio(context: BrowserContext, stack: Stack) -> Iterator[Studio]:
    """The page, opened. The test fails if the page logs an error or breaks its policy."""
    opened = Studio(context.new_page(), stack.url)
    opened.page.goto(stack.url)
    yield opened
    assert opened.problems == []
