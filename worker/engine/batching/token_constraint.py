"""What a codec knows beforehand about the codes of a piece: those that make no sense are not drawn."""

from typing import Protocol

from torch import Tensor


class TokenConstraint(Protocol):
    """Follows the codes of every slot. All its state lies in tensors that never move, so that graphs replay it."""

    def begin(self, slot: int, limits: Tensor | None) -> None:
        """A request moves into a slot.

        Args:
            slot: which.
            limits: what else must not be drawn, as the codec made it for the request; None for no more than usual.
        """
        ...

    def restrict(self, slots: Tensor, logits: Tensor) -> None:
        """Set the logits of codes that cannot come next to minus infinity; at least one of each codebook stays.

        Args:
            slots: int64 of shape [n].
            logits: float32 of shape [n, codebooks, codebook_size], changed in place.
        """
        ...

    def revise(self, slots: Tensor, drawn: Tensor, kept: Tensor, sequence: Tensor, position: Tensor) -> Tensor:
        """Go on by a step; returns the codes that are to stand there, mostly those that were drawn.

        Args:
            slots: int64 of shape [n].
            drawn: int64 of shape [n, codebooks].
            kept: whether each code is part of the piece, bool of shape [n, codebooks]; the others are passed over.
            sequence: of all slots, int64 of shape [slots, codebooks, steps], in the delay pattern.
            position: the step of each of `slots` in it, int64 of shape [n].
        """
        ...
