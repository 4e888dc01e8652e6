"""Files from a disk: chosen or dropped, with their progress, and with a sentence where they cannot be used."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, FilePayload, Locator, expect

from gateway.uploads.receiving import too_large
from shared.uploaded_files import MAX_UPLOAD_BYTES
from tests.browser.conftest import STARTER, Stack, running_stack, start
from tests.browser.looks import barriers, needs_axe
from tests.browser.studio import Studio
from tests.uploads import audio, midi

# Bytes that all tests together may store, and a file of which only a few fit.
QUOTA = 4_000_000
LARGE = audio("wav", 40)


@pytest.fixture(scope="module")
def stack(
    in_containers: bool, s3_environment: dict[str, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    if in_containers:
        pytest.skip("needs a gateway that the test can kill")
    folder = tmp_path_factory.mktemp("uploads")
    with running_stack(folder, s3_environment, STARTER, KEY_UPLOAD_BYTES=str(QUOTA)) as running:
        yield running


def source(studio: Studio) -> Locator:
    return studio.page.get_by_role("region", name="Begin with a file or a take")


def choice(studio: Studio) -> Locator:
    return studio.page.get_by_role("combobox", name="Begin with")


def payload(name: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": "", "buffer": content}


def choose(studio: Studio, *files: FilePayload) -> None:
    """Choose files in the browser's dialog."""
    with studio.page.expect_file_chooser() as chooser:
        source(studio).get_by_role("button", name="Audio or MIDI file…").click()
    chooser.value.set_files(list(files))


def drop(studio: Studio, name: str, content: bytes) -> None:
    """Drag a file over the page and drop it somewhere."""
    transfer = studio.page.evaluate_handle(
        """([name, content]) => {
            const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name));
            return transfer;
        }""",
        [name, base64.b64encode(content).decode()],
    )
    place = studio.page.get_by_role("region", name="Takes", exact=True)
    place.dispatch_event("dragover", {"dataTransfer": transfer})
    expect(studio.page.get_by_text("Drop audio or MIDI files", exact=True)).to_be_visible()
    place.dispatch_event("drop", {"dataTransfer": transfer})
    expect(studio.page.get_by_text("Drop audio or MIDI files", exact=True)).to_be_hidden()


def chosen(studio: Studio) -> str:
    """The name of the file that the form begins with."""
    return str(choice(studio).evaluate("each => each.selectedOptions[0].text"))


@pytest.mark.parametrize("format", ["wav", "flac", "ogg", "mp3"])
def test_audio_of_every_format_is_uploaded(studio: Studio, format: str) -> None:
    choose(studio, payload(f"riff.{format}", audio(format, 1)))
    expect(choice(studio)).to_have_value("0")
    assert re.sub("[\u2068\u2069]", "", chosen(studio)) == f"riff.{format} · 0:01"
    expect(source(studio).locator(".transfer")).to_have_count(0)


def test_a_file_is_dropped_anywhere_on_the_page(studio: Studio) -> None:
    studio.prompt.fill("jazz")
    drop(studio, "song.mid", midi())
    expect(choice(studio)).to_have_value("0")
    assert "song.mid" in chosen(studio)
    assert studio.page.url.rstrip("/") == studio.url


@pytest.mark.parametrize("name", ['6" "loop".wav', "🎹🥁.wav", "שיר חדש.wav", "a" * 200 + ".wav", "<b>&amp;.wav"])
def test_a_name_is_shown_as_it_is_and_breaks_nothing(studio: Studio, name: str) -> None:
    choose(studio, payload(name, audio("wav", 1)))
    expect(choice(studio)).to_have_value("0")
    assert f"\u2068{name}\u2069" in chosen(studio)
    width, window = studio.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= window


REFUSED: dict[str, tuple[FilePayload, str]] = {
    "a text": (payload("notes.wav", b"This is a text, and no audio." * 10), "The content is none of WAV"),
    "an empty file": (payload("empty.wav", b""), "The file is empty."),
    "a damaged file": (payload("half.flac", audio("flac", 2)[:200]), ""),
    "a MIDI file that ends early": (payload("half.mid", midi(400)[:60]), ""),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=list(REFUSED))
def test_a_refused_file_says_why_and_the_form_stays(studio: Studio, case: tuple[FilePayload, str]) -> None:
    file, reason = case
    studio.describe("jazz with a piano")
    studio.page.get_by_label("BPM", exact=True).fill("99")
    choose(studio, file)
    alert = source(studio).get_by_role("alert")
    expect(alert).to_contain_text(reason or re.compile(r"\w+.*\."))
    expect(source(studio)).to_contain_text(file["name"])
    expect(studio.prompt).to_have_value("jazz with a piano")
    expect(studio.page.get_by_label("BPM", exact=True)).to_have_value("99")
    source(studio).get_by_role("button", name=f"Dismiss {file['name']}").click()
    expect(alert).to_have_count(0)
    expect(choice(studio)).to_have_count(0)
    studio.expect_problem("status of 4")


def test_a_file_that_is_too_large_is_not_sent(studio: Studio, tmp_path: Path) -> None:
    file = tmp_path / "long.wav"
    with file.open("wb") as target:
        target.truncate(MAX_UPLOAD_BYTES + 1)
    sent: list[str] = []
    studio.page.on("request", lambda request: sent.append(request.url))
    with studio.page.expect_file_chooser() as chooser:
        source(studio).get_by_role("button", name="Audio or MIDI file…").click()
    chooser.value.set_files(file)
    expect(source(studio).get_by_role("alert")).to_have_text(too_large().detail)
    assert not [url for url in sent if url.endswith("/api/v1/audio")]


def test_the_largest_file_is_uploaded(studio: Studio, tmp_path: Path) -> None:
    """It is refused for the quota, which comes after all checks of the file, so it was accepted as a whole."""
    file = tmp_path / "long.wav"
    file.write_bytes(audio("wav", 599, rate=48_000, subtype="PCM_16"))
    with studio.page.expect_file_chooser() as chooser:
        source(studio).get_by_role("button", name="Audio or MIDI file…").click()
    chooser.value.set_files(file)
    expect(source(studio).get_by_role("alert")).to_contain_text("the most that fits")
    studio.expect_problem("429")


def test_two_files_at_once_show_their_own_progress(studio: Studio, context: BrowserContext) -> None:
    network = context.new_cdp_session(studio.page)
    network.send("Network.enable")
    limit = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 200_000}
    network.send("Network.emulateNetworkConditions", limit)
    choose(studio, payload("one.wav", audio("wav", 15)), payload("two.wav", audio("wav", 16)))
    for name in ("one.wav", "two.wav"):
        expect(studio.page.get_by_role("progressbar", name=f"Upload of {name}")).to_be_visible()
    expect(source(studio).get_by_text(re.compile(r"^[1-9]\d* %$")).first).to_be_visible()
    network.send("Network.emulateNetworkConditions", limit | {"uploadThroughput": -1})
    expect(source(studio).get_by_role("progressbar")).to_have_count(0)
    names = choice(studio).locator("option").all_inner_texts()
    assert len(names) == 3
    assert names[0] == "nothing"
    assert {re.sub("[\u2068\u2069]", "", each).split(" ")[0] for each in names[1:]} == {"one.wav", "two.wav"}


def test_an_upload_can_be_cancelled(studio: Studio, context: BrowserContext) -> None:
    network = context.new_cdp_session(studio.page)
    network.send("Network.enable")
    limit = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 20_000}
    network.send("Network.emulateNetworkConditions", limit)
    choose(studio, payload("riff.wav", LARGE))
    source(studio).get_by_role("button", name="Cancel the upload of riff.wav").click()
    expect(source(studio).locator(".transfer")).to_have_count(0)
    expect(studio.red).to_have_count(0)


def test_an_upload_goes_on_when_a_killed_gateway_is_back(studio: Studio, stack: Stack, context: BrowserContext) -> None:
    network = context.new_cdp_session(studio.page)
    network.send("Network.enable")
    limit = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 30_000}
    network.send("Network.emulateNetworkConditions", limit)
    studio.describe("jazz with a piano")
    choose(studio, payload("riff.wav", audio("wav", 15)))
    expect(source(studio).get_by_text(re.compile(r"^[1-9]\d* %$"))).to_be_visible()
    stack.gateway.kill()
    expect(studio.notice).to_have_text("The service is away. Trying again…")
    expect(source(studio).get_by_text("waiting")).to_be_visible()
    expect(studio.red).to_have_count(0)
    network.send("Network.emulateNetworkConditions", limit | {"uploadThroughput": -1})
    start(stack.gateway)
    expect(choice(studio)).to_have_value("0")
    expect(studio.notice).to_be_empty()
    expect(studio.prompt).to_have_value("jazz with a piano")
    studio.forget_network_errors()


def test_a_full_store_says_so_and_a_deleted_file_makes_room(studio: Studio) -> None:
    alert = source(studio).get_by_role("alert")
    count = 0
    while alert.count() == 0:  # files of other tests are there as well
        count += 1
        choose(studio, payload(f"riff {count}.wav", LARGE))
        expect(source(studio).get_by_role("progressbar")).to_have_count(0)
    expect(alert).to_contain_text("uploaded files are stored, which is the most that fits. Delete some here")
    assert count > 1
    source(studio).get_by_role("button", name=f"Dismiss riff {count}.wav").click()
    source(studio).get_by_role("button", name="Delete riff 1.wav").click()
    expect(choice(studio).locator("option", has_text="riff 1.wav")).to_have_count(0)
    choose(studio, payload("last.wav", LARGE))
    expect(choice(studio).locator("option", has_text="last.wav")).to_have_count(1)
    studio.expect_problem("429")


def test_files_are_there_after_a_reload_until_they_are_deleted(studio: Studio) -> None:
    choose(studio, payload("song.mid", midi()))
    expect(choice(studio)).to_have_value("0")
    studio.page.reload()
    expect(choice(studio)).to_have_value("0")
    with studio.page.expect_response(lambda response: response.request.method == "DELETE") as answer:
        source(studio).get_by_role("button", name="Delete song.mid").click()
    assert answer.value.ok
    expect(choice(studio)).to_have_count(0)
    expect(studio.prompt).to_be_visible()


@needs_axe
def test_each_state_of_an_upload_has_no_barrier(studio: Studio, context: BrowserContext) -> None:
    choose(studio, payload("notes.wav", b"This is a text, and no audio."))
    expect(source(studio).get_by_role("alert")).to_be_visible()
    choose(studio, payload("riff.wav", audio("wav", 1)))
    expect(source(studio)).to_contain_text("can do nothing with audio")
    assert barriers(studio, ".compose") == []
    studio.expect_problem("415")
    choice(studio).select_option("nothing")
    choose(studio, payload("a very long name of a song for a choir.mid", midi()))
    expect(choice(studio)).not_to_have_value("")
    assert barriers(studio, ".compose") == []
    network = context.new_cdp_session(studio.page)
    network.send("Network.enable")
    limit: dict[str, Any] = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 20_000}
    network.send("Network.emulateNetworkConditions", limit)
    choose(studio, payload(f"{'another long name of a loop ' * 3}.wav", LARGE))
    expect(source(studio).get_by_role("progressbar")).to_be_visible()
    assert barriers(studio, ".compose") == []
    widths = studio.page.locator(".source").evaluate("each => [each.scrollWidth, each.clientWidth]")
    assert widths[0] <= widths[1]  # as narrow as the last look
