"""The page as a person uses it: by labels and roles."""

import json
import re
import urllib.request
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.conftest import ROOT

AXE = ROOT / "gateway" / "http" / "web" / "node_modules" / "axe-core" / "axe.min.js"


class Studio:
    """A page of the studio, and the gateway behind it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.problems: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda message: self.problems.append(message.text) if message.type == "error" else None)
        self.prompt = page.get_by_label("Describe the music")
        self.generate_button = page.get_by_role("button", name="Generate", exact=True)
        self.cards = page.get_by_role("article")
        self.player = page.get_by_role("region", name="Player")
        self.notice = page.get_by_role("banner").get_by_role("status")
        self.red = page.locator("[role=alert], .failure, [aria-invalid=true]")

    def expect_problem(self, words: str) -> None:
        """Take a logged error out of `problems`, such as the refusal that the test has caused."""
        expected = [problem for problem in self.problems if words in problem]
        assert expected, self.problems
        self.problems = [problem for problem in self.problems if words not in problem]

    def forget_network_errors(self) -> None:
        """Take out what the browser itself logs of answers that did not come, and of those with 503."""
        network = ("ERR_", "503", "WebSocket connection")
        self.problems = [each for each in self.problems if not any(words in each for words in network)]

    def describe(self, prompt: str) -> None:
        """Fill in the description, and wait until the page has read it: fields below may move then."""
        with self.page.expect_response("**/api/v1/prompt/parse"):
            self.prompt.fill(prompt)

    def make(self, prompt: str, **fields: Any) -> Locator:
        """Make a take over the API, as another client does, and wait until its card is complete."""
        job_id = self.request(prompt, **fields)
        card = self.card(job_id)
        expect(card).to_have_class(re.compile(r"\bcompleted\b"))
        return card

    def request(self, prompt: str, **fields: Any) -> str:
        """Start a job over the API; returns its id."""
        return str(self.post("/api/v1/generate", {"prompt": prompt, **fields})["job_id"])

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=20) as response:
            return dict(json.load(response))

    def status(self, job_id: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/api/v1/status/{job_id}", timeout=20) as response:
            return dict(json.load(response))

    def card(self, job_id: str) -> Locator:
        return self.page.locator(f"[data-job={job_id}]")

    def job_id(self, card: Locator) -> str:
        return card.get_attribute("data-job") or ""

    def play(self, card: Locator) -> None:
        card.get_by_role("button", name="Play").click()
        self.until_position(0.05)

    @property
    def position(self) -> float:
        """Seconds, as the AudioContext's clock has them."""
        return float(self.page.evaluate("studio.player.position.value"))

    @property
    def state(self) -> str:
        return str(self.page.evaluate("studio.player.state.value"))

    def until_position(self, seconds: float) -> None:
        self.page.wait_for_function("seconds => studio.player.position.value >= seconds", arg=seconds)

    def drag(self, waveform: Locator, start: float, end: float) -> None:
        """Drag across a waveform; `start` and `end` are shares of its width."""
        waveform.scroll_into_view_if_needed()
        box = waveform.bounding_box()
        assert box is not None
        x, y, width = box["x"], box["y"] + box["height"] / 2, box["width"]
        self.page.mouse.move(x + start * width, y)
        self.page.mouse.down()
        self.page.mouse.move(x + end * width, y, steps=5)
        self.page.mouse.up()

    def violations(self, within: str = "body") -> list[str]:
        """What axe finds wrong with a part of the page as it is: WCAG 2.2 A and AA, and best practices."""
        self.page.evaluate(AXE.read_text())
        tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
        found = self.page.evaluate("([within, tags]) => axe.run(within, { runOnly: tags })", [within, tags])
        return [
            f"{violation['id']}: {node['target']} {node['failureSummary']}"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]
