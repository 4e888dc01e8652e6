"""The layout of a piece's codes: windows of at most the model's length, each in the delay pattern.

A piece longer than one window is generated as in audiocraft: each window begins with the end of the previous one.
"""

from dataclasses import dataclass

# How far the window advances, as a share of its length: 18 of 30 seconds, as in audiocraft.
STRIDE_SHARE = 0.6


@dataclass(frozen=True)
class Window:
    """One run of the language model.

    Attributes:
        prompt: given frames at the start.
        frames: all frames, including the prompt.
    """

    prompt: int
    frames: int

    @property
    def new(self) -> int:
        return self.frames - self.prompt


def plan_windows(frames: int, longest: int, prompt: int = 0) -> list[Window]:
    """Split a piece into windows.

    Args:
        frames: length of the piece, including the prompt.
        longest: frames of the longest window.
        prompt: given frames at the start; fewer than `frames`.
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


@dataclass(frozen=True)
class DelayPattern:
    """MusicGen's delay pattern (Copet et al. 2023, section 2.2): codebook k lags by `delays[k]` frames.

    Step 0 holds the special token only; step s holds frame
    s − 1 − delays[k] of codebook k. Steps without a frame hold the special token too.
    """

    delays: tuple[int, ...]

    @property
    def longest(self) -> int:
        return max(self.delays)

    def steps(self, frames: int) -> int:
        """Length of the sequence for `frames`, including step 0."""
        return frames + self.longest + 1

    def step_of(self, frame: int, codebook: int) -> int:
        """The step of a frame's code in one codebook."""
        return frame + 1 + self.delays[codebook]

    def complete_frames(self, position: int, frames: int) -> int:
        """How many of `frames` are known in every codebook once all steps before `position` are done."""
        return max(min(position - 1 - self.longest, frames), 0)
