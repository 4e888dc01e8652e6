"""A musician's first minutes with the page: make, compare, loop and download, with nothing but what is on it.

`uv run python -m tests.browser.walk [--pictures docs/images]` walks on the starter, tells how long that took, and takes
the pictures of docs/studio.md.
"""

import argparse
import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from bench.stack import running_stack
from tests.browser.conftest import CHROMIUM, DESKTOP, PHONE
from tests.browser.studio import Studio
from tests.uploads import midi

PROMPT = "4-bar house loop with piano at 124 bpm in A minor"
TAKES = 3
# Milliseconds that a person looks before the next step, and between two letters.
LOOK, LETTER = 2000, 70
# A bar of 4/4 at 124 BPM, in seconds.
BAR = 4 * 60 / 124
QUALITY = 80


class Walk:
    """A person with a mouse and a keyboard. Without patience, nothing is looked at; without a folder, no pictures."""

    def __init__(self, studio: Studio, patience: float = 1.0, pictures: Path | None = None) -> None:
        self.studio = studio
        self.page = studio.page
        self._patience = patience
        self._pictures = pictures

    def steps(self) -> list[Callable[[], object]]:
        return [self.describe, self.make, self.compare, self.loop, self.mix, self.download]

    def describe(self) -> None:
        """Type the description and ask for MIDI and stems."""
        self._click(self.studio.prompt)
        self.studio.prompt.press_sequentially(PROMPT, delay=LETTER * self._patience)
        expect(self.page.get_by_role("list", name="How the description is read")).to_contain_text("124 BPM")
        self._click(self.page.get_by_text("More settings"))
        self.page.get_by_label("MIDI and stems").check()
        self._click(self.page.get_by_text("More settings"))
        self.page.mouse.wheel(0, -1000)  # back to the description
        self._take_picture("1-describe")

    def make(self) -> None:
        """Make three takes, and listen to the first."""
        for _ in range(TAKES - 1):
            self._click(self.page.get_by_role("button", name="More takes"))
        self._click(self.studio.generate_button)
        expect(self.page.locator(".card.completed")).to_have_count(TAKES)
        self._click(self._card(1).get_by_role("button", name="Play"))
        self.studio.until_position(BAR)
        self._take_picture("2-listen")

    def compare(self) -> None:
        """Listen to the second, and switch between both."""
        self._click(self._card(2).get_by_role("button", name="Play"))
        self.studio.until_position(BAR)
        comparison = self.page.get_by_role("group", name="Compare two takes")
        for side, take in (("A", 1), ("B", 2)):
            self._click(comparison.get_by_role("button", name=side, exact=True))
            expect(self._card(take).get_by_role("button", name="Pause")).to_be_visible()
        self._take_picture("3-compare")

    def loop(self) -> None:
        """Drag across the first two bars, and hear them repeat."""
        self._look()
        self.studio.drag(self._card(2).locator(".waveform"), 0.02, 0.48)
        self.page.wait_for_function("bar => studio.player.loop.value.end < 2.1 * bar", arg=BAR)
        self.studio.until_position(1.5 * BAR)
        self._take_picture("4-loop")
        self.page.wait_for_function("bar => studio.player.position.value < bar", arg=BAR)

    def mix(self) -> None:
        """Open the stems and mute one, while the others play on."""
        self._click(self._card(2).get_by_role("button", name="Stems", exact=True))
        self._click(self._card(2).get_by_role("button", name="Mute").first)
        self._look()
        self._take_picture("5-mix")

    def download(self) -> bytes:
        """Look at the files of the take, and save it."""
        self._click(self._card(2).get_by_label("More for"))
        self._take_picture("6-download")
        self.page.keyboard.press("Escape")
        with self.page.expect_download() as download:
            self._click(self._card(2).get_by_role("link", name="Download Take 2"))
        return download.value.path().read_bytes()

    def _card(self, take: int) -> Locator:
        return self.studio.cards.filter(has=self.page.get_by_role("button", name=f"Take {take}", exact=True))

    def _click(self, place: Locator) -> None:
        self._look()
        place.click()

    def _look(self) -> None:
        self.page.wait_for_timeout(LOOK * self._patience)

    def _take_picture(self, name: str) -> None:
        if self._pictures:
            save_picture(self.page, self._pictures / f"studio-{name}.webp")


def save_picture(page: Page, file: Path) -> None:
    """Save what the window shows."""
    page.wait_for_timeout(300)  # transitions end
    Image.open(io.BytesIO(page.screenshot())).save(file, quality=QUALITY, method=6)


def main(arguments: Sequence[str] | None = None) -> None:
    """Walk and tell."""
    options = _parser().parse_args(arguments)
    with TemporaryDirectory() as folder, running_stack(Path(folder)) as url, _chromium() as browser:
        started = time.monotonic()
        walk = Walk(_open(browser, url, DESKTOP | {"device_scale_factor": 1.5}), pictures=options.pictures)
        for step in walk.steps():
            begun = time.monotonic()
            step()
            print(f"{step.__name__:10} {time.monotonic() - begun:5.1f} s", flush=True)
        print(f"all        {time.monotonic() - started:5.1f} s")
        if options.pictures:
            phone = _open(browser, url, PHONE | {"device_scale_factor": 1.5, "color_scheme": "dark"})
            phone.play(phone.cards.first)
            phone.until_position(BAR)
            save_picture(phone.page, options.pictures / "studio-phone.webp")
            desktop = _open(browser, url, DESKTOP | {"device_scale_factor": 1.5})
            _upload_a_song(desktop)
            save_picture(desktop.page, options.pictures / "studio-midi.webp")


def _upload_a_song(studio: Studio) -> None:
    with studio.page.expect_file_chooser() as chooser:
        studio.page.get_by_role("button", name="Audio or MIDI file…").click()
    chooser.value.set_files({"name": "second verse.mid", "mimeType": "audio/midi", "buffer": midi(64)})
    expect(studio.page.get_by_role("button", name="Render")).to_be_visible()


def _open(browser: Browser, url: str, options: dict[str, Any]) -> Studio:
    studio = Studio(browser.new_context(**options).new_page(), url)
    studio.page.goto(url)
    return studio


@contextmanager
def _chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.browser.walk", description=__doc__)
    parser.add_argument("--pictures", type=Path, help="a folder for the pictures")
    return parser


if __name__ == "__main__":
    main()
