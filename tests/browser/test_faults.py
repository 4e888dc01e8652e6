"""Parts of the service fail and come back: one quiet message, nothing red, nothing lost, and what plays goes on."""

import asyncio
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nats
import pytest
from minio import Minio
from playwright.sync_api import BrowserContext, Locator, expect

from shared import subjects
from tests.browser.conftest import Stack, running_stack, start
from tests.browser.studio import Studio
from tests.servers import embedded_s3

GRID: dict[str, Any] = {"bars": 4, "bpm": 120, "loop": True}


class Store:
    """An S3 store that a test can kill, and whose files it can delete."""

    def __init__(self, folder: Path) -> None:
        self.server, self.settings = embedded_s3(folder)

    def delete(self, key: str) -> None:
        operator = self.settings["operator"]
        host = operator["S3_ENDPOINT"].removeprefix("http://")
        client = Minio(host, operator["S3_ACCESS_KEY"], operator["S3_SECRET_KEY"], secure=False)
        client.remove_object("music-audio", key)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(tmp_path_factory.mktemp("store"))
    start(store.server)
    yield store
    store.server.stop()


@pytest.fixture(scope="module")
def stack(in_containers: bool, store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Servers that only this file uses, because it kills them."""
    if in_containers:
        pytest.skip("needs servers that the test can kill")
    with running_stack(tmp_path_factory.mktemp("faults"), store.settings) as running:
        yield running


@pytest.fixture
def hearing(studio: Studio) -> Iterator[Studio]:
    """The page with a loop that plays, and that must still play at the end, whatever happens in between."""
    studio.play(studio.make("tone that goes on", **GRID))
    yield studio
    assert studio.state == "playing"
    expect(studio.red).to_have_count(0)
    expect(studio.notice).to_be_empty()
    studio.forget_network_errors()


def sounds_on(studio: Studio) -> None:
    """The audio's clock goes on: the loop reaches its end and begins again."""
    studio.until_position(6)
    studio.page.wait_for_function("() => studio.player.position.value < 4")


def submit(studio: Studio, prompt: str) -> Locator:
    """Ask for a take in the form; returns its request in the list, which may not be there yet."""
    studio.prompt.fill(prompt)
    studio.generate_button.click()
    return studio.page.get_by_role("group", name=prompt)


def back_to_work(studio: Studio, request: Locator) -> None:
    """The request that waited became one take, without another click."""
    expect(request.locator(".completed")).to_have_count(1)
    expect(studio.generate_button).to_be_visible()
    expect(request.get_by_role("article")).to_have_count(1)


def test_a_take_waits_for_nats_and_is_made_once(hearing: Studio, stack: Stack) -> None:
    stack.nats.kill()
    request = submit(hearing, "tone after an outage")
    expect(hearing.page.get_by_role("button", name="Waiting…")).to_be_visible()
    expect(hearing.notice).to_contain_text("Trying again…")
    expect(hearing.red).to_have_count(0)
    sounds_on(hearing)
    start(stack.nats)
    back_to_work(hearing, request)


def test_a_take_waits_for_its_gateway_and_is_made_once(hearing: Studio, stack: Stack) -> None:
    stack.gateway.kill()
    request = submit(hearing, "tone after a restart")
    expect(hearing.notice).to_have_text("The service is away. Trying again…")
    expect(hearing.red).to_have_count(0)
    sounds_on(hearing)
    start(stack.gateway)
    back_to_work(hearing, request)


def test_a_person_may_give_up_waiting(studio: Studio, stack: Stack) -> None:
    stack.gateway.kill()
    request = submit(studio, "tone that is given up")
    studio.page.get_by_role("button", name="Do not wait").click()
    expect(studio.generate_button).to_be_visible()
    expect(studio.red).to_have_count(0)
    start(stack.gateway)
    expect(studio.notice).to_be_empty()
    expect(request).to_have_count(0)
    studio.forget_network_errors()


def test_music_and_downloads_wait_for_the_store(hearing: Studio, store: Store) -> None:
    other = hearing.make("tone that waits", **GRID)
    store.server.kill()
    expect(hearing.notice).to_contain_text("store of the takes is away")
    sounds_on(hearing)
    other.get_by_role("button", name="Play").click()
    link = other.get_by_role("link", name=re.compile("Download"))
    with hearing.page.expect_download() as download:
        link.click()
        expect(other).to_contain_text("Take 1")
        hearing.page.wait_for_timeout(2500)  # more than one attempt
        assert hearing.state == "loading"
        expect(hearing.red).to_have_count(0)
        start(store.server)
    assert download.value.path().read_bytes()[:4] == b"RIFF"
    expect(other.get_by_role("button", name="Pause")).to_be_visible()
    hearing.until_position(0.5)


def test_a_take_that_ends_while_the_store_is_away_is_kept(hearing: Studio, store: Store) -> None:
    card = hearing.card(hearing.request("slow", duration=2))
    expect(card).to_have_class("card processing")
    store.server.kill()
    expect(hearing.notice).to_contain_text("store of the takes is away")
    expect(card).to_have_class("card processing")
    start(store.server)
    expect(card).to_have_class("card completed")
    hearing.play(card)
    hearing.page.wait_for_function("() => studio.player.state.value === 'playing'")  # the loop played until now


def test_audio_that_is_gone_is_made_again_with_its_recipe(studio: Studio, store: Store) -> None:
    card = studio.make("tone that gets lost", bars=2, bpm=124.5, key="Am", seed=99, outputs=["stems"])
    store.delete(f"jobs/{studio.job_id(card)}/audio.wav")
    card.get_by_role("button", name="Play").click()
    expect(card).to_contain_text("The audio has expired.")
    expect(card.get_by_role("link", name=re.compile("Download"))).to_have_count(0)
    recipe = studio.status(studio.job_id(card))["recipe"]
    with studio.page.expect_response("**/api/v1/generate") as answer:
        card.get_by_role("button", name="Make again").click()
    again = studio.card(answer.value.json()["job_id"])
    expect(again).to_have_class("card completed")
    assert studio.status(studio.job_id(again))["recipe"] == recipe
    studio.play(again)
    studio.expect_problem("410")


def test_a_full_queue_makes_a_take_wait_for_its_turn(hearing: Studio, stack: Stack) -> None:
    first, second = (hearing.request("slow", duration=60, seed=seed) for seed in (1, 2))
    expect(hearing.card(first)).to_have_class("card processing")
    expect(hearing.card(second)).to_have_class("card processing")
    with_limit_of_queue(stack, 2)
    request = submit(hearing, "tone in a full queue")
    expect(hearing.notice).to_contain_text("The queue is full.")
    expect(hearing.page.get_by_role("button", name="Waiting…")).to_be_visible()
    for job_id in (first, second):
        hearing.card(job_id).get_by_role("button", name="Cancel").click()
    back_to_work(hearing, request)
    with_limit_of_queue(stack, 1000)


def with_limit_of_queue(stack: Stack, jobs: int) -> None:
    """Change the limit as an operator does."""

    async def change() -> None:
        client = await nats.connect(stack.nats_urls["operator"])
        js = client.jetstream()
        config = (await js.stream_info(subjects.JOBS_STREAM)).config
        config.max_msgs = jobs
        await js.update_stream(config)
        await client.close()

    in_a_thread(lambda: asyncio.run(change()))


def in_a_thread(work: Callable[[], None]) -> None:
    with ThreadPoolExecutor(1) as threads:
        threads.submit(work).result()


def test_a_take_of_a_model_without_a_worker_tells_that_it_waits(studio: Studio) -> None:
    card = studio.card(studio.request("tone", duration=1, model="medium"))
    expect(card).to_contain_text("no worker serves the model medium")
    card.get_by_role("button", name="Cancel").click()
    expect(card).to_have_class("card cancelled")


def test_without_a_worker_takes_wait_and_are_made_when_one_is_back(hearing: Studio, stack: Stack) -> None:
    stack.worker.kill()
    expect(hearing.notice).to_contain_text("No worker is running", timeout=40_000)
    request = submit(hearing, "tone without a worker")
    expect(request).to_contain_text("no worker serves the model")
    start(stack.worker)
    back_to_work(hearing, request)


def test_a_slow_network_delays_but_breaks_nothing(studio: Studio, context: BrowserContext) -> None:
    """A mobile connection of 400 kbit/s with an answer after 0.4 s."""
    card = studio.make("tone over a slow network", duration=4)
    network = context.new_cdp_session(studio.page)
    network.send("Network.enable")
    slow = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000}
    network.send("Network.emulateNetworkConditions", slow)
    studio.page.reload()
    studio.prompt.fill("tone by telephone")
    studio.generate_button.click()
    expect(studio.page.get_by_role("button", name="Sending…")).to_be_visible()
    expect(studio.page.get_by_role("group", name="tone by telephone").locator(".completed")).to_have_count(1)
    card.get_by_role("button", name="Play").click()
    assert studio.state == "loading"
    studio.until_position(0.2)
    expect(studio.red).to_have_count(0)
    expect(studio.notice).to_be_empty()


def test_a_take_of_two_minutes_plays_seeks_and_loops(studio: Studio) -> None:
    card = studio.make("tone of two minutes", duration=120, bpm=120)
    expect(card).to_contain_text("2:00")
    waveform = card.locator(".waveform")
    box = waveform.bounding_box()
    assert box is not None
    waveform.click(position={"x": 0.9 * box["width"], "y": 40})
    studio.until_position(108)
    assert studio.state == "playing"
    studio.drag(waveform, 0.5, 0.55)
    studio.page.wait_for_function("() => studio.player.loop.value")
    assert studio.page.evaluate("studio.player.loop.value") == {"start": 60, "end": 66}


def test_a_hanging_gateway_counts_as_away(hearing: Studio, stack: Stack) -> None:
    stack.gateway.freeze()
    expect(hearing.notice).to_have_text("The service is away. Trying again…", timeout=40_000)
    stack.gateway.thaw()
    expect(hearing.notice).to_be_empty()
