"""Stems, score and export of a take of the included model: what is heard together, what is drawn, what is saved."""

import io
import re
import urllib.request
from typing import Any

import mido
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from playwright.sync_api import Locator, expect

from tests.browser.conftest import STARTER
from tests.browser.looks import barriers, needs_axe
from tests.browser.studio import Studio

PROMPT = "4 bars of house with piano, bass and drums at 120 bpm in A minor"
# Of a bar of 4/4 at 120 BPM, in seconds.
BAR = 2.0


@pytest.fixture(scope="module")
def engine() -> dict[str, str]:
    return STARTER


@pytest.fixture
def take(studio: Studio) -> Locator:
    return studio.make(PROMPT, seed=7, outputs=["midi", "stems"])


def outputs(studio: Studio, card: Locator, kind: str) -> list[dict[str, Any]]:
    return [each for each in studio.status(studio.job_id(card))["outputs"] if each["kind"] == kind]


def load(studio: Studio, path: str) -> bytes:
    with urllib.request.urlopen(f"{studio.url}{path}?proxy=1", timeout=20) as response:
        return bytes(response.read())


def samples(data: bytes) -> NDArray[np.float64]:
    return np.asarray(soundfile.read(io.BytesIO(data), always_2d=True)[0])


def open_stems(card: Locator) -> list[str]:
    """Open the mixer; returns the names of the stems."""
    card.get_by_role("button", name="Stems", exact=True).click()
    return card.locator(".stem-name").all_inner_texts()


def test_stems_start_together_at_the_place_of_the_mix_and_stay_there(studio: Studio, take: Locator) -> None:
    names = open_stems(take)
    assert len(names) == len(outputs(studio, take, "stem")) >= 3
    studio.play(take)
    studio.drag(take.locator(".waveform").first, 0.27, 0.72)  # bars 2 and 3
    studio.page.evaluate(
        """() => {
            const start = AudioBufferSourceNode.prototype.start;
            window.started = [];
            AudioBufferSourceNode.prototype.start = function (when, offset) {
                window.started.push([when, offset, this.loop, this.loopStart, this.loopEnd, this.buffer.length]);
                return start.call(this, when, offset);
            };
        }"""
    )
    before = studio.position
    take.get_by_role("button", name=f"Mute {names[0]}").click()
    studio.page.wait_for_function("count => window.started.length === count", arg=len(names))
    started = studio.page.evaluate("window.started")
    assert all(each == started[0] for each in started)
    when, offset, *loop = started[0]
    assert loop[:3] == [True, BAR, 3 * BAR]
    assert before <= offset < before + 1
    # No stem starts again for a change: its level alone moves.
    take.get_by_role("button", name=f"Solo {names[1]}").click()
    take.get_by_role("slider", name=f"Gain of {names[1]}").fill("-6")
    levels = "studio.player.voice.sounds.map(({ strip }) => strip.gain.value)"
    studio.page.wait_for_function(f"() => {{ const [, solo] = {levels}; return Math.abs(solo - 10 ** -0.3) < 1e-4; }}")
    silent = [level for index, level in enumerate(studio.page.evaluate(levels)) if index != 1]
    assert max(silent) < 1e-4
    assert studio.page.evaluate("window.started.length") == len(names)
    reached = offset + studio.page.evaluate("when => studio.player.context.currentTime - when", when)
    expected = reached if reached < 3 * BAR else BAR + (reached - BAR) % (2 * BAR)
    assert studio.position == pytest.approx(expected, abs=0.3)


def test_all_stems_at_0_db_sum_to_the_mix(studio: Studio, take: Locator) -> None:
    """Rendered offline by what the player uses; 16-bit stems sum to the mix to the integer."""
    job = studio.status(studio.job_id(take))
    parts = [
        {"path": stem["download_url"], "factor": 10 ** (stem["gain_db"] / 20)} for stem in outputs(studio, take, "stem")
    ]
    difference, loudest = studio.page.evaluate(
        """async ([parts, mix, rate]) => {
            const load = (path) => fetch(`${path}?proxy=1`);
            const sum = await studio.bounce(parts, null, rate, load);
            const whole = await studio.bounce([{ path: mix, factor: 1 }], null, rate, load);
            if (sum.length !== whole.length) throw new Error(`${sum.length} and ${whole.length} samples`);
            let difference = 0, loudest = 0;
            for (let channel = 0; channel < whole.numberOfChannels; channel++) {
                const [a, b] = [sum.getChannelData(channel), whole.getChannelData(channel)];
                for (let index = 0; index < a.length; index++) {
                    difference = Math.max(difference, Math.abs(a[index] - b[index]));
                    loudest = Math.max(loudest, Math.abs(b[index]));
                }
            }
            return [difference, loudest];
        }""",
        [parts, job["audio_url"], job["sample_rate"]],
    )
    assert loudest > 0.1
    assert difference < 2**-15


def test_what_is_saved_is_what_is_heard(studio: Studio, take: Locator) -> None:
    names = open_stems(take)
    studio.drag(take.locator(".waveform").first, 0.27, 0.72)
    studio.page.wait_for_function("() => studio.player.loop.value?.start === 2")
    take.get_by_role("button", name=f"Mute {names[0]}").click()
    take.get_by_role("slider", name=f"Gain of {names[1]}").fill("-6")
    with studio.page.expect_download() as download:
        take.get_by_role("button", name="Save what is heard").last.click()
    job = studio.status(studio.job_id(take))
    muted = names[0].replace(" ", "-")
    expected_name = re.sub("_4bars_", f"_bars2-3_no-{muted}_mix_", job["file_name"])
    assert download.value.suggested_filename == expected_name
    saved, rate = soundfile.read(download.value.path(), always_2d=True)
    assert rate == job["sample_rate"]
    factors = [0.0, 10 ** (-6 / 20)] + [1.0] * (len(names) - 2)
    stems = [samples(load(studio, stem["download_url"])) for stem in outputs(studio, take, "stem")]
    whole = np.sum([factor * stem for factor, stem in zip(factors, stems, strict=True)], axis=0)
    expected = whole[int(BAR * rate) : int(3 * BAR * rate)]
    assert saved.shape == expected.shape
    assert np.abs(expected).max() > 0.05
    # Chromium divides positive integers of 16 bits by 32767 and negative ones by 32768.
    np.testing.assert_allclose(saved, expected, atol=2**-14)


def test_the_score_shows_every_note_and_pales_what_is_muted(studio: Studio, take: Locator) -> None:
    names = open_stems(take)
    (midi,) = outputs(studio, take, "midi")
    file = mido.MidiFile(file=io.BytesIO(load(studio, midi["download_url"])))
    count = sum(each.type == "note_on" and each.velocity > 0 for track in file.tracks for each in track)
    take.get_by_role("button", name="Score", exact=True).click()
    roll = take.get_by_role("img", name=re.compile("^Piano roll of Take"))
    expect(roll).to_have_attribute("aria-label", re.compile(f": {count} notes$"))
    assert count > 50
    expect(take.get_by_role("list", name="Sections")).to_be_visible()
    legend = take.get_by_role("list", name="Instruments of the score")
    expect(legend.get_by_role("listitem")).to_have_count(len(names))
    ink = """canvas => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return data.reduce((sum, value, index) => (index % 4 === 3 ? sum + value : sum), 0);
    }"""
    roll.scroll_into_view_if_needed()
    studio.page.wait_for_function(f"canvas => ({ink})(canvas) > 0", arg=roll.element_handle())
    before = roll.evaluate(ink)
    take.get_by_role("button", name=f"Solo {names[0]}").click()
    expect(legend.locator("s")).to_have_count(len(names) - 1)
    assert 0 < roll.evaluate(ink) < 0.8 * before
    take.get_by_role("button", name="Reset the mix").click()
    expect(legend.locator("s")).to_have_count(0)
    assert roll.evaluate(ink) == before
    # The playhead of the score is that of the take, and a click there seeks.
    box = take.locator(".roll .waveform").bounding_box()
    assert box is not None
    take.locator(".roll .waveform").click(position={"x": box["width"] / 2, "y": 60})
    studio.until_position(2 * BAR + 0.1)
    heads = take.locator(".playhead").evaluate_all("heads => heads.map((head) => head.style.left)")
    assert len(set(heads)) == 1
    assert len(heads) == len(names) + 2


def test_space_and_arrows_work_at_a_fader(studio: Studio, take: Locator) -> None:
    names = open_stems(take)
    studio.play(take)
    fader = take.get_by_role("slider", name=f"Gain of {names[0]}")
    fader.press("ArrowLeft")
    expect(fader).to_have_attribute("aria-valuetext", "−0.5 dB")
    fader.press(" ")
    expect(studio.player.get_by_role("button", name="Play")).to_be_visible()
    fader.dblclick()
    expect(fader).to_have_attribute("aria-valuetext", "0 dB")


@needs_axe
def test_stems_and_score_have_no_barrier(studio: Studio, take: Locator) -> None:
    names = open_stems(take)
    take.get_by_role("button", name="Score", exact=True).click()
    take.get_by_role("button", name=f"Mute {names[0]}").click()
    studio.play(take)
    studio.page.keyboard.press("Space")
    assert barriers(studio, f"[data-job={studio.job_id(take)}]") == []
