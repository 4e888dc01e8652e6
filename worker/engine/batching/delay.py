"""The delay pattern of MusicGen (Copet et al. 2023, section 2.2): codebook k lags by `delays[k]` frames.

A sequence has one step more than that: step 0 holds the special token only, step s holds frame
s − 1 − delays[k] of codebook k. Steps that a frame does not reach hold the special token too.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class DelayPattern:
    """Where the codes of a frame stand in the sequence of steps."""

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
