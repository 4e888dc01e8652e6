"""What a person hears: the clock of the audio really runs, loops have no gap, and comparing is instant."""

import pytest
from playwright.sync_api import expect

from tests.browser.studio import Studio

# One bar of 4/4 at 120 BPM lasts 2 s.
GRID = {"bars": 4, "bpm": 120}


def test_a_take_plays_pauses_and_continues(studio: Studio) -> None:
    card = studio.make("tone", **GRID)
    studio.play(card)
    studio.until_position(0.3)
    card.get_by_role("button", name="Pause").click()
    paused = studio.position
    studio.page.wait_for_timeout(200)
    assert studio.position == paused
    studio.page.keyboard.press("Space")
    studio.until_position(paused + 0.2)


def test_the_playhead_and_the_counter_follow_the_audio(studio: Studio) -> None:
    card = studio.make("tone", **GRID)
    studio.play(card)
    studio.until_position(2.05)
    studio.page.keyboard.press("Space")  # so that no time passes between the looks, however busy the machine is
    bar = int(studio.position // 2) + 1
    expect(studio.player.locator(".position strong")).to_contain_text(f"{bar}.")
    head = card.locator(".playhead").evaluate("each => parseFloat(each.style.left)")
    assert head == pytest.approx(100 * studio.position / 8, abs=1)


def test_a_click_on_the_waveform_plays_from_there(studio: Studio) -> None:
    card = studio.make("tone", **GRID)
    waveform = card.locator(".waveform")
    box = waveform.bounding_box()
    assert box is not None
    waveform.click(position={"x": box["width"] / 2, "y": 40})
    studio.until_position(0.1)
    assert studio.position >= 3.9


def test_arrows_move_by_bars_and_keys_loop(studio: Studio) -> None:
    card = studio.make("tone", **GRID)
    studio.play(card)
    studio.page.keyboard.press("Space")
    studio.page.locator("body").press("Escape")
    studio.page.keyboard.press("ArrowRight")
    assert studio.position == 2
    studio.page.keyboard.press("ArrowRight")
    studio.page.keyboard.press("ArrowLeft")
    assert studio.position == 2
    studio.page.keyboard.press("l")
    assert studio.page.evaluate("studio.player.loop.value") == {"start": 0, "end": 8}
    studio.page.keyboard.press("l")
    assert studio.page.evaluate("studio.player.loop.value") is None


def test_a_drag_loops_whole_bars(studio: Studio) -> None:
    card = studio.make("tone", **GRID)
    studio.drag(card.locator(".waveform"), 0.27, 0.46)
    studio.page.wait_for_function("() => studio.player.loop.value")
    assert studio.page.evaluate("studio.player.loop.value") == {"start": 2, "end": 4}
    assert 2 <= studio.position < 4
    studio.until_position(3.8)
    studio.page.wait_for_function("() => studio.player.position.value < 2.5")  # it went around
    assert studio.state == "playing"


def test_a_loop_has_no_gap(studio: Studio) -> None:
    """The same schedule, rendered offline: the samples around the jump continue without a missing one."""
    rendered = studio.page.evaluate(
        """async () => {
            const rate = 8000, length = 2 * rate;
            const context = new OfflineAudioContext(1, 5 * rate, rate);
            const buffer = new AudioBuffer({ length, sampleRate: rate });
            buffer.copyToChannel(Float32Array.from({ length }, (_, index) => (index + 1) / length), 0);
            const schedule = { startedAt: 0, offset: 0, loop: { start: 0.5, end: 1.5 }, duration: 2 };
            studio.startVoice(context, buffer, schedule, context.destination);
            const samples = (await context.startRendering()).getChannelData(0);
            return Array.from(samples, (sample) => Math.round(sample * length) - 1);
        }"""
    )
    rate = 8000
    expected = [*range(int(1.5 * rate))]
    while len(expected) < 5 * rate:
        expected += range(rate // 2, rate * 3 // 2)
    assert rendered == expected[: 5 * rate]


def test_two_takes_are_compared_at_the_same_place_and_equally_loud(studio: Studio) -> None:
    quiet = studio.make("tone quiet", seed=1, loudness=-24, **GRID)
    loud = studio.make("tone loud", seed=2, loudness=-12, **GRID)
    studio.play(quiet)
    studio.play(loud)
    studio.until_position(1.0)
    gain = "studio.player.output.gain.value"
    assert studio.page.evaluate(gain) == pytest.approx(10 ** (-12 / 20), rel=0.05)
    before = studio.position
    studio.page.keyboard.press("a")
    expect(quiet.get_by_role("button", name="Pause")).to_be_visible()
    assert before <= studio.position < before + 0.5
    assert studio.page.evaluate(gain) == pytest.approx(1)
    studio.page.keyboard.press("b")
    expect(loud.get_by_role("button", name="Pause")).to_be_visible()
    assert studio.position >= before


def test_only_one_take_sounds(studio: Studio) -> None:
    first, second = studio.make("tone", seed=1, **GRID), studio.make("tone", seed=2, **GRID)
    studio.play(first)
    studio.play(second)
    expect(first.get_by_role("button", name="Play")).to_be_visible()
    expect(studio.page.get_by_role("button", name="Pause")).to_have_count(2)  # the card's and the player's


def test_music_plays_while_it_is_made_and_its_waveform_grows(studio: Studio) -> None:
    card = studio.card(studio.request("slow", duration=6))
    expect(card).to_have_class("card processing")
    play = card.get_by_role("button", name="Play")
    expect(play).not_to_have_attribute("aria-disabled", "true")
    painted = """canvas => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return data.filter(Boolean).length;
    }"""
    canvas = card.locator("canvas").first
    early = canvas.evaluate(painted)
    studio.play(card)
    studio.until_position(2)
    assert "processing" in (card.get_attribute("class") or "")
    assert canvas.evaluate(painted) > 1.2 * early
    studio.until_position(5.8)
    expect(card).to_have_class("card completed current")


def test_a_loop_that_is_heard_while_it_is_made_goes_on_from_its_file(studio: Studio) -> None:
    card = studio.card(studio.request("slow", bars=2, bpm=120, loop=True))
    studio.play(card)
    assert studio.page.evaluate("studio.player.loop.value") is None
    studio.until_position(3)
    studio.page.wait_for_function("() => studio.player.position.value < 1 && studio.player.state.value === 'playing'")
    studio.until_position(1.5)
    assert studio.page.evaluate("studio.player.loop.value") == {"start": 0, "end": 4}


def test_an_ended_take_starts_again(studio: Studio) -> None:
    card = studio.make("tone", duration=1)
    studio.play(card)
    studio.page.wait_for_function("() => studio.player.state.value === 'paused'")
    assert studio.position == 0
    studio.play(card)
    assert studio.state == "playing"
