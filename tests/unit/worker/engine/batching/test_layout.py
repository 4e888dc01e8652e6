from hypothesis import given
from hypothesis import strategies as st

from worker.engine.batching.layout import DelayPattern, Window, plan_windows


def test_a_piece_that_fits_is_one_window() -> None:
    assert plan_windows(1500, 1500) == [Window(0, 1500)]
    assert plan_windows(7, 1500, prompt=3) == [Window(3, 7)]


def test_thirty_more_seconds_are_made_eighteen_at_a_time() -> None:
    assert plan_windows(3000, 1500) == [Window(0, 1500), Window(600, 1500), Window(600, 1200)]


@given(st.integers(5, 200), st.data())
def test_windows_make_exactly_the_frames_that_are_missing(longest: int, data: st.DataObject) -> None:
    frames = data.draw(st.integers(1, 1000))
    prompt = data.draw(st.integers(0, min(frames, longest) - 1))
    windows = plan_windows(frames, longest, prompt)
    assert sum(window.new for window in windows) == frames - prompt
    assert all(0 <= window.prompt < window.frames <= longest for window in windows)


def test_a_frame_is_complete_when_its_last_codebook_is() -> None:
    pattern = DelayPattern((0, 1, 2, 3))
    assert pattern.steps(10) == 14
    assert [pattern.complete_frames(position, 10) for position in (1, 4, 5, 6, 14)] == [0, 0, 1, 2, 10]
    assert [pattern.step_of(2, codebook) for codebook in range(4)] == [3, 4, 5, 6]
