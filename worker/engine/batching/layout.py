"""Where the codes of a piece stand: in windows of the model's length, and in the delay pattern of each window."""

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


@dataclass(frozen=True)
class DelayPattern:
    """MusicGen's delay pattern (Copet et al. 2023, section 2.2): codebook k lags by `delays[k]` frames.

    A sequence has one step more than that: step 0 holds the special token only; step s holds frame
    s − 1 − delays[k] of codebook k. Steps without a frame hold the special token too.
    """

    delays: tuple[int, ...]

    @property
    def longest(self) -> int:
        return max(self.delays)

    def steps(self, frames: int) -> int:
        """Length of the sequence that holds `frames`; its last step is the last one to predict."""
        return frames + self.longest + 1

    def step_of(self, frame: int, codebook: int) -> int:
        """The step that holds a frame's code of one codebook."""
        return frame + 1 + self.delays[codebook]

    def complete_frames(self, position: int, frames: int) -> int:
        """How many of `frames` are known in every codebook when all steps before `position` are."""
        return max(min(position - 1 - self.longest, frames), 0)
