from hypothesis import given
from hypothesis import strategies as st

from worker.engine.batching.layout import DelayPattern, Window, plan_windows


def test_short_piece_is_one_window() -> None:
    assert plan_windows(1500, 1500) == [Window(0, 1500)]
    assert plan_windows(7, 1500, prompt=3) == [Window(3, 7)]


def test_long_piece_advances_by_eighteen_seconds_per_window() -> None:
    assert plan_windows(3000, 1500) == [Window(0, 1500), Window(600, 1500), Window(600, 1200)]


@given(st.integers(5, 200), st.data())
def test_windows_cover_exactly_the_missing_frames(longest: int, data: st.DataObject) -> None:
    frames = data.draw(st.integers(1, 1000))
    prompt = data.draw(st.integers(0, min(frames, longest) - 1))
    windows = plan_windows(frames, longest, prompt)
    assert sum(window.new for window in windows) == frames - prompt
    assert all(0 <= window.prompt < window.frames <= longest for window in windows)


def test_frame_is_complete_once_its_last_codebook_is() -> None:
    pattern = DelayPattern((0, 1, 2, 3))
    assert pattern.steps(10) == 14
    assert [pattern.complete_frames(position, 10) for position in (1, 4, 5, 6, 14)] == [0, 0, 1, 2, 10]
    assert [pattern.step_of(2, codebook) for codebook in range(4)] == [3, 4, 5, 6]
