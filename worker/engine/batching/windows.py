"""Pieces longer than the model's window, as audiocraft makes them: each window begins with the end of the last one."""

from dataclasses import dataclass

# How far the window moves: 18 of 30 seconds, as in audiocraft.
STRIDE_SHARE = 0.6


@dataclass(frozen=True)
class Window:
    """One run of the language model.

    Attributes:
        prompt: frames that it is given; its own come after them.
        frames: all of them.
    """

    prompt: int
    frames: int

    @property
    def new(self) -> int:
        return self.frames - self.prompt


def plan_windows(frames: int, longest: int, prompt: int = 0) -> list[Window]:
    """The windows that make a piece of `frames`, the first `prompt` of which are given.

    Args:
        frames: of the whole piece, the given ones included.
        longest: frames that the model can hold.
        prompt: frames that are there already; fewer than `frames`.
    """
    stride = int(STRIDE_SHARE * longest)
    windows: list[Window] = []
    offset = 0
    while offset + prompt < frames:
        window = Window(prompt, min(frames - offset, longest))
        windows.append(window)
        offset += stride
        prompt = window.frames - stride
    return windows
