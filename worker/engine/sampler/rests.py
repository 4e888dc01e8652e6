"""Music begins with its first bar, and no break lasts longer than two: then the bars before it come again.

They come again in the model's own context, so that it goes on from there. If every stream would let the first step
pass, the last one that draws its code for it plays.
"""

import torch
from torch import Tensor

from worker.engine.sampler.codes import FIRST, STOP
from worker.engine.sampler.instruments import HIT_STREAMS, PLAYERS, Stream
from worker.engine.sampler.proofreader import LONGEST

# How many bars come again.
PHRASE = 4
NEVER = -1_000_000


class Rests:
    """Part of `ScoreGrammar`. Frames are counted from the beginning of a piece, its counted-in bar included."""

    def __init__(self, slots: int, device: torch.device) -> None:
        # The conductor's next frame, and by how much it exceeds the position in the present window.
        self._frame = torch.zeros(slots + 1, dtype=torch.int64, device=device)
        self._offset = torch.zeros_like(self._frame)
        # Where the first bar begins, and where what each stream plays is over.
        self._start = torch.full_like(self._frame, NEVER)
        self._over = torch.full((slots + 1, len(PLAYERS)), NEVER, dtype=torch.int64, device=device)
        # What comes again: the first frame, the one after the last, and how far back they come from.
        self._again, self._again_end = torch.zeros_like(self._frame), torch.zeros_like(self._frame)
        self._back = torch.zeros_like(self._frame)
        # The stream that begins if no other does: the last one to draw, but percussion, which may be mere crackle.
        self._leader = torch.zeros_like(self._frame)
        self._lag = torch.arange(1 + len(PLAYERS), device=device)
        self._holds = torch.tensor([stream not in HIT_STREAMS for stream in PLAYERS], device=device)
        self._ranks = torch.tensor([stream % Stream.PERCUSSION + 1 for stream in PLAYERS], device=device)

    def begin(self, slot: int) -> None:
        """A request moves into a slot."""
        self._frame[slot] = self._again[slot] = self._again_end[slot] = self._back[slot] = 0
        self._start[slot] = self._over[slot] = NEVER

    def restrict(self, slots: Tensor, logits: Tensor) -> None:
        """Where nothing sounds yet, the leader neither stops nor passes the first step; see `Grammar.restrict`."""
        frames = self._frame[slots][:, None] - self._lag
        start = self._start[slots]
        late = (start >= 0) & (self._over[slots].amax(1) <= start)
        begins = late[:, None] & (frames == start[:, None]) & (self._lag == self._leader[slots][:, None])
        logits[:, :, :FIRST].masked_fill_(begins[:, :, None], float("-inf"))

    def revise(
        self,
        slots: Tensor,
        drawn: Tensor,
        kept: Tensor,
        sequence: Tensor,
        position: Tensor,
        steps: Tensor,
        plays: Tensor,
        begins: Tensor,
    ) -> Tensor:
        """See `Grammar.revise`.

        Args:
            slots: as there, like all that is not named below.
            drawn: as there.
            kept: as there.
            sequence: as there.
            position: as there.
            steps: of each slot's bars, int64 of shape [n].
            plays: which streams have a player, bool of shape [n, 7].
            begins: whether a bar that is played begins, bool of shape [n].
        """
        # At a window's end the conductor is ahead of the other streams, and waits.
        self._offset[slots] = torch.where(kept[:, 0], self._frame[slots] - position, self._offset[slots])
        frame = position + self._offset[slots]
        begins = begins & kept[:, 0]
        first = begins & (self._start[slots] < 0)
        self._start[slots] = torch.where(first, frame, self._start[slots])
        self._leader[slots] = torch.where(first, 1 + (plays * self._ranks).argmax(1), self._leader[slots])
        self._plan(slots, begins, frame, position, steps)
        frames = frame[:, None] - self._lag
        codes = self._repeat(slots, drawn, frames, sequence, position)
        self._listen(slots, codes[:, 1:], frames[:, 1:], kept[:, 1:] & plays, steps)
        self._frame[slots] += kept[:, 0]
        return codes

    def _plan(self, slots: Tensor, begins: Tensor, frame: Tensor, position: Tensor, steps: Tensor) -> None:
        """At a bar's beginning, after more than a bar of silence: let the bars before it come again."""
        start, over = self._start[slots], self._over[slots].amax(1)
        # Bars from here back to the last one that is heard, and to the first one that comes again: the window has it.
        distance = (frame - over) // steps + 1
        held = torch.minimum(frame - start, (position - 1) // steps * steps)
        back = torch.minimum((distance + PHRASE - 1) * steps, held)
        again = begins & (frame >= self._again_end[slots]) & (frame - over > steps) & (back >= distance * steps)
        self._again[slots] = torch.where(again, frame, self._again[slots])
        self._again_end[slots] = torch.where(again, frame + back - (distance - 1) * steps, self._again_end[slots])
        self._back[slots] = torch.where(again, back, self._back[slots])

    def _repeat(self, slots: Tensor, drawn: Tensor, frames: Tensor, sequence: Tensor, position: Tensor) -> Tensor:
        source = position[:, None] - self._back[slots][:, None]
        again = (frames >= self._again[slots][:, None]) & (frames < self._again_end[slots][:, None])
        again &= (self._lag > 0) & (source > self._lag)
        return torch.where(again, sequence[slots[:, None], self._lag, source.clamp(min=0)], drawn)

    def _listen(self, slots: Tensor, codes: Tensor, frames: Tensor, heard: Tensor, steps: Tensor) -> None:
        """Keep in mind until when each stream sounds: a hit for its step, a note until it is stopped or released."""
        heard = heard & (frames >= self._start[slots][:, None]) & (self._start[slots][:, None] >= 0)
        length = torch.where(self._holds, LONGEST * steps[:, None], 1)
        over = self._over[slots]
        over = torch.where(heard & (codes >= FIRST), frames + length, over)
        stopped = heard & (codes == STOP) & self._holds
        self._over[slots] = torch.where(stopped, torch.minimum(over, frames), over)
