"""The state of all slots on the device, and one step of the batch.

A step only reads and writes tensors with fixed addresses, indexed by slot. It can therefore be captured into a CUDA
graph, and the host never waits for it.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from worker.engine.batching.attention import StepRows
from worker.engine.batching.kv_cache import CONDITIONAL, longest_prefix
from worker.engine.batching.layout import DelayPattern, Window
from worker.engine.batching.request import Request
from worker.engine.batching.sampling import SamplingState, guide, sample
from worker.engine.batching.token_constraint import TokenConstraint
from worker.engine.batching.transformer import Transformer


@dataclass
class Slots:
    """The state of all slots and of a scratch slot, the last one, which pads the batch of a CUDA graph.

    Attributes:
        sequence: codes in the delay pattern, int64 of shape [slots, codebooks, steps].
        position: the step to predict next; shape [slots], like all that follow.
        prefix: cache positions before the sequence.
        prompt: given frames, which are not sampled.
        frames: length of the current window.
        steps_before: steps in earlier windows, so that the noise does not repeat.
    """

    sequence: Tensor
    position: Tensor
    prefix: Tensor
    prompt: Tensor
    frames: Tensor
    steps_before: Tensor

    @classmethod
    def empty(cls, slots: int, codebooks: int, steps: int, device: torch.device) -> "Slots":
        sequence = torch.zeros(slots, codebooks, steps, dtype=torch.int64, device=device)
        counters = [torch.zeros(slots, dtype=torch.int64, device=device) for _ in fields(cls)[1:]]
        return cls(sequence, *counters)


class Decoder:
    """Holds the KV cache and the codes. The loop calls it from one thread."""

    def __init__(self, model: Transformer, slots: int, longest: int, constraint: TokenConstraint | None = None) -> None:
        """Allocate all memory.

        Args:
            model: the language model.
            slots: requests that can run at once.
            longest: frames of the longest window.
            constraint: on the codes, with as many slots; None if any code may follow any other.
        """
        config = model.config
        self.pattern = DelayPattern(config.delays)
        self.model = model
        self.scratch = slots
        steps = self.pattern.steps(longest)
        self._cache = model.new_cache(slots + 1, longest_prefix(config) + steps)
        self._slots = Slots.empty(slots + 1, config.codebooks, steps, model.device)
        self._slots.position.fill_(1)
        self._sampling = SamplingState.empty(slots + 1, model.device)
        self._delays = torch.tensor(config.delays, device=model.device)
        self._special = config.codebook_size
        self._overflowed = torch.zeros(slots + 1, dtype=torch.bool, device=model.device)
        self._constraint = constraint

    def begin(self, slot: int, request: Request) -> None:
        """Assign a request to a slot."""
        self._cache.begin(slot)
        self._overflowed[slot] = False
        if request.text is not None:
            self._cache.set_text(slot, request.text)
        if request.negative is not None:
            self._cache.set_text(slot, request.negative, 1 - CONDITIONAL)
        self._slots.prefix[slot] = request.prefix_length
        for name in ("temperature", "top_k", "top_p", "cfg_scale", "seed"):
            getattr(self._sampling, name)[slot] = getattr(request, name)
        if self._constraint is not None:
            self._constraint.begin(slot, request.limits)

    def open_window(self, slot: int, window: Window, given: Tensor | None, steps_before: int) -> None:
        """Start a window: write special tokens, and the given codes of shape [codebooks, window.prompt]."""
        slots = self._slots
        slots.sequence[slot].fill_(self._special)
        if given is not None:
            for codebook in range(len(given)):
                start = self.pattern.step_of(0, codebook)
                slots.sequence[slot, codebook, start : start + window.prompt] = given[codebook]
        slots.position[slot] = window.prompt + 1
        slots.prompt[slot] = window.prompt
        slots.frames[slot] = window.frames
        slots.steps_before[slot] = steps_before

    def prefill(self, slot: int, request: Request, positions: range, window: int = 0) -> None:
        """Fill the KV cache for known positions of a window: first its prefix, then the given codes."""
        before = request.prefix_length
        known = self._slots.sequence[slot, :, max(positions.start - before, 0) : max(positions.stop - before, 0)]
        inputs = self.model.embed(known.T).expand(2 if request.is_guided else 1, -1, -1)
        prefix = request.prefix_of(window)
        if prefix is not None and positions.start < before:
            inputs = torch.cat([prefix[:, positions.start : positions.stop].to(inputs.dtype), inputs], 1)
        self.model.prefill(self._cache, slot, inputs, positions.start, request.text_tokens, request.negative_tokens)

    def step(
        self,
        slots: Tensor,
        parts: int,
        host: tuple[tuple[int, int, int], ...] = (),
        candidates: int | None = None,
        texts: int = 1,
        negative: tuple[int, ...] = (),
    ) -> None:
        """Predict the codes at the position of each slot, and advance the positions.

        Args:
            slots: int64 of shape [n]; the scratch slot may occur several times.
            parts: rows per slot: 2 with guidance (conditional and unconditional), else 1.
            host: as in `StepRows`.
            candidates: as in `sample`.
            texts: as in `StepRows`.
            negative: as in `StepRows`.
        """
        self.draw(slots, self.logits(slots, parts, host, texts, negative), candidates)

    def logits(
        self,
        slots: Tensor,
        parts: int,
        host: tuple[tuple[int, int, int], ...] = (),
        texts: int = 1,
        negative: tuple[int, ...] = (),
    ) -> Tensor:
        """The first half of a step: float32 of shape [parts, n, codebooks, codebook_size]."""
        state = self._slots
        position = state.position[slots]
        rows = StepRows(slots, state.prefix[slots] + position - 1, parts, host, texts, negative)
        return self.model.step(self._cache, rows, state.sequence[slots, :, position - 1])

    def draw(self, slots: Tensor, logits: Tensor, candidates: int | None = None) -> None:
        """The second half: draw the codes of each slot, store those that were not given, and advance the positions."""
        state, position = self._slots, self._slots.position[slots]
        sampling = self._sampling.of(slots)
        if len(logits) > 1:
            logits = guide(logits[CONDITIONAL], logits[1 - CONDITIONAL], sampling.cfg_scale)[None]
        # A sum is finite only if all of its terms are; logits are far too small to overflow in it.
        self._overflowed[slots] |= ~logits[CONDITIONAL].sum((1, 2)).isfinite()
        if self._constraint is not None:
            self._constraint.restrict(slots, logits[CONDITIONAL])
        drawn = sample(logits[CONDITIONAL], sampling, state.steps_before[slots] + position, candidates)
        self._write(slots, position, drawn)
        state.position[slots] = (position + 1).clamp_(max=state.sequence.shape[2] - 1)

    def codes(self, slot: int, frames: range) -> Tensor:
        """Codes of complete frames, int64 of shape [codebooks, frames]."""
        sequence = self._slots.sequence[slot]
        starts = [self.pattern.step_of(frames.start, codebook) for codebook in range(len(sequence))]
        return torch.stack([row[start : start + len(frames)] for row, start in zip(sequence, starts, strict=True)])

    def overflowed(self, slot: int) -> Tensor:
        """Whether logits of the slot's request were not finite in any step so far: a bool on the device."""
        return self._overflowed[slot]

    def likelihood(self, slot: int) -> Tensor | None:
        """See `TokenConstraint.likelihood`; None without a constraint."""
        return None if self._constraint is None else self._constraint.likelihood(slot)

    def _write(self, slots: Tensor, position: Tensor, drawn: Tensor) -> None:
        """Store the drawn codes where the delay pattern has a frame that was not given; keep the rest."""
        state = self._slots
        frame = position[:, None] - 1 - self._delays
        own = (frame >= state.prompt[slots][:, None]) & (frame < state.frames[slots][:, None])
        if self._constraint is not None:
            drawn = self._constraint.revise(slots, drawn, own, state.sequence, position)
        present = state.sequence[slots, :, position]
        state.sequence[slots, :, position] = torch.where(own, drawn, present)
