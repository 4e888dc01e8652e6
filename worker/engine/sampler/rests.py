"""Limits silence: a piece starts with its first bar, and a break of a bar is filled by repeating bars.

Streams that have a deadline have played by then. Those that have a longest rest play again after it: the training data
has such rests for whole sections, and a model may go on with one, or with two notes in eight bars. Sections without the
whole band, such as a break, are no rests.

The repeated bars replace the model's codes in its context, so that it continues from them. If no stream plays on the
first step, the last stream to sample its code for that step must play. In a piece of hits alone, which ring for a
moment only, it must also play after a second of silence.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from worker.engine.sampler.codes import FIRST, STOP, sounding
from worker.engine.sampler.conductor import SECTION_PLACE
from worker.engine.sampler.instruments import HIT_STREAMS, PLAYERS, Stream
from worker.engine.sampler.proofreader import LONGEST

# A break is filled by repeating up to this many of the bars before it.
PHRASE = 4
NEVER = -1_000_000
# A deadline that never comes, and a rest that may be as long.
NO_DEADLINE = 1_000_000
# Steps after a bar's beginning by which a stream enters there. Some often begin off the beat, as in reggae.
OFF_BEAT = {stream: 0 if stream in (Stream.PAD, Stream.ARPEGGIO, Stream.DRUMS) else 2 for stream in PLAYERS}


class RestState(NamedTuple):
    """A piece's progress, each int64 of shape [slots]. Frames count from the piece's beginning, count-in included.

    Attributes:
        frame: the conductor's next frame.
        offset: `frame` minus the position in the current window.
        start: the first frame after the count-in; negative during the count-in.
        leader: the stream that must begin if no other does.
        again: the first frame of the repetition.
        end: the frame after the repetition.
        back: the distance in frames to the repeated bars.
        whole: the frame from which rests count: the end of the last bar without the whole band.
    """

    frame: Tensor
    offset: Tensor
    start: Tensor
    leader: Tensor
    again: Tensor
    end: Tensor
    back: Tensor
    whole: Tensor


class DrawnStep(NamedTuple):
    """One sampled step; see `Grammar.revise` for the first five fields.

    Attributes:
        steps: steps a bar for each slot, int64 of shape [n].
        plays: which streams have a player, bool of shape [n, 7].
        begins: whether a bar after the count-in begins, bool of shape [n].
        held: which codes are given and never change, bool of shape [n, 8].
        bare: whether the conductor declares a section without the whole band, bool of shape [n].
    """

    slots: Tensor
    drawn: Tensor
    kept: Tensor
    sequence: Tensor
    position: Tensor
    steps: Tensor
    plays: Tensor
    begins: Tensor
    held: Tensor
    bare: Tensor


class RestLimiter:
    """Part of `ScoreGrammar`."""

    def __init__(self, slots: int, device: torch.device) -> None:
        self._fresh = torch.tensor([0, 0, NEVER, 0, 0, 0, 0, 0], device=device)
        self._state = self._fresh.repeat(slots + 1, 1)
        # The frame at which each stream falls silent.
        self._over = torch.full((slots + 1, len(PLAYERS)), NEVER, dtype=torch.int64, device=device)
        self._lag = torch.arange(1 + len(PLAYERS), device=device)
        self._holds = torch.tensor([stream not in HIT_STREAMS for stream in PLAYERS], device=device)
        # The last stream to sample leads. Percussion comes last, because it may be only crackle.
        self._ranks = torch.tensor([stream % Stream.PERCUSSION + 1 for stream in PLAYERS], device=device)
        self._sounds = torch.from_numpy(sounding()).to(device)
        self._patience = torch.full((slots + 1,), NO_DEADLINE, device=device)
        self._deadlines = torch.full((slots + 1, len(PLAYERS)), NO_DEADLINE, dtype=torch.int64, device=device)
        self._longest = torch.full_like(self._deadlines, NO_DEADLINE)
        # Each stream's next frame: at a window's end the conductor waits for the others.
        self._frame = torch.zeros_like(self._deadlines)
        self._off_beat = torch.tensor([OFF_BEAT[stream] for stream in PLAYERS], device=device)

    def begin(self, slot: int, deadlines: Tensor, patience: Tensor, longest: Tensor) -> None:
        """Reset a slot for a new request; see `CodeLimits` for `deadlines`, `patience` and `longest` (`rests`)."""
        self._state[slot] = self._fresh
        self._over[slot] = NEVER
        self._frame[slot] = 0
        self._patience[slot] = patience.to(self._patience.device)
        self._deadlines[slot] = deadlines.to(self._deadlines.device)
        self._longest[slot] = longest.to(self._longest.device)

    def restrict(self, slots: Tensor, logits: Tensor, steps: Tensor) -> None:
        """Streams that are due must begin, and the leader where it is too quiet; see `Grammar.restrict`."""
        state, over = self._read(slots), self._over[slots]
        due = self._are_due(state, over, slots, steps) & (state.start >= 0)[:, None]
        logits[:, 1:].masked_fill_(due[:, :, None] & ~self._sounds, float("-inf"))
        heard, step = over.amax(1), state.frame - state.start - state.leader
        late = (heard <= state.start) & (step == 0)
        # On an eighth.
        late |= (heard > state.start) & (step + state.start - heard >= self._patience[slots]) & (step % 2 == 0)
        begins = (late & (state.start >= 0))[:, None] & (self._lag == state.leader[:, None])
        logits[:, :, :FIRST].masked_fill_(begins[:, :, None], float("-inf"))

    def _are_due(self, state: RestState, over: Tensor, slots: Tensor, steps: Tensor) -> Tensor:
        """Which streams must have played by now, or have rested for too long: bool of shape [n, 7]."""
        step = self._frame[slots] - state.start[:, None]
        late = (step == self._deadlines[slots]) & (over <= state.start[:, None])
        rested = self._frame[slots] - torch.maximum(over, torch.maximum(state.start, state.whole)[:, None])
        # In bars to the nearest: most rests begin within one.
        most = self._longest[slots] * steps[:, None] - steps[:, None] // 2
        return late | ((step % steps[:, None] == self._off_beat) & (rested >= most))

    def revise(self, step: DrawnStep) -> Tensor:
        """See `Grammar.revise`."""
        state, over = self._read(step.slots), self._over[step.slots]
        told = step.kept[:, Stream.CONDUCTOR]
        # At a window's end the conductor, which is ahead of the other streams, waits for them.
        state = state._replace(offset=torch.where(told, state.frame - step.position, state.offset))
        begins = step.begins & told
        first = begins & (state.start < 0)
        leader = 1 + (step.plays * self._ranks).argmax(1)
        state = state._replace(
            start=torch.where(first, state.frame, state.start), leader=torch.where(first, leader, state.leader)
        )
        state = self._plan(state, over.amax(1), step, begins)
        frames = (step.position + state.offset)[:, None] - self._lag
        codes = self._repeat(state, step, frames)
        self._over[step.slots] = self._listen(state, over, step, codes[:, 1:], frames[:, 1:])
        self._frame[step.slots] += step.kept[:, 1:]
        # The present bar ends then.
        end = state.frame - SECTION_PLACE + step.steps
        state = state._replace(whole=torch.where(step.bare, end, state.whole), frame=state.frame + told)
        self._state[step.slots] = torch.stack(state, 1)
        return codes

    def _read(self, slots: Tensor) -> RestState:
        return RestState(*self._state[slots].unbind(1))

    def _plan(self, state: RestState, over: Tensor, step: DrawnStep, begins: Tensor) -> RestState:
        """Plan a repetition where a bar begins after a bar of silence."""
        # Distances back to the last bar with sound, and to the first bar to repeat, which must be in the window.
        silent = state.frame - over
        distance = silent // step.steps + 1
        held = torch.minimum(state.frame - state.start, (step.position - 1) // step.steps * step.steps)
        back = torch.minimum((distance + PHRASE - 1) * step.steps, held)
        again = begins & (state.frame >= state.end) & (over > state.start) & (silent >= step.steps)
        again &= back >= distance * step.steps
        return state._replace(
            again=torch.where(again, state.frame, state.again),
            end=torch.where(again, state.frame + back - (distance - 1) * step.steps, state.end),
            back=torch.where(again, back, state.back),
        )

    def _repeat(self, state: RestState, step: DrawnStep, frames: Tensor) -> Tensor:
        source = (step.position - state.back)[:, None]
        again = (frames >= state.again[:, None]) & (frames < state.end[:, None]) & (self._lag > 0)
        again &= (source > self._lag) & ~step.held
        return torch.where(again, step.sequence[step.slots[:, None], self._lag, source.clamp(min=0)], step.drawn)

    def _listen(self, state: RestState, over: Tensor, step: DrawnStep, codes: Tensor, frames: Tensor) -> Tensor:
        """The frame until which each stream sounds: a hit lasts one step, a note until it is stopped or released."""
        heard = step.kept[:, 1:] & step.plays & (frames >= state.start[:, None]) & (state.start >= 0)[:, None]
        length = torch.where(self._holds, LONGEST * step.steps[:, None], 1)
        sounding = torch.where(heard & (codes >= FIRST), frames + length, over)
        return torch.where(heard & (codes == STOP) & self._holds, torch.minimum(over, frames), sounding)
