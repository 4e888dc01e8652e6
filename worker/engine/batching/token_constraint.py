"""The interface of a constraint on sampled codes. `sampler/score_grammar.py` implements it for scores."""

from typing import Protocol

from torch import Tensor


class TokenConstraint(Protocol):
    """Tracks the codes of every slot. Its state is in tensors with fixed addresses, so CUDA graphs can replay it."""

    def begin(self, slot: int, limits: tuple[Tensor, ...] | None) -> None:
        """Start a request in a slot.

        Args:
            slot: its index.
            limits: further restrictions of this request, tensors in the constraint's own format; None for none.
        """
        ...

    def restrict(self, slots: Tensor, logits: Tensor) -> None:
        """Set the logits of impossible codes to minus infinity. At least one code of each codebook remains.

        Args:
            slots: int64 of shape [n].
            logits: float32 of shape [n, codebooks, codebook_size], modified in place.
        """
        ...

    def revise(self, slots: Tensor, drawn: Tensor, kept: Tensor, sequence: Tensor, position: Tensor) -> Tensor:
        """Advance by one step. Returns the codes to store: the drawn ones, possibly corrected.

        Args:
            slots: int64 of shape [n].
            drawn: int64 of shape [n, codebooks].
            kept: whether each code will be stored, bool of shape [n, codebooks]; ignore the others.
            sequence: codes of all slots in the delay pattern, int64 of shape [slots, codebooks, steps].
            position: the current step of each of `slots`, int64 of shape [n].
        """
        ...

    def likelihood(self, slot: int) -> Tensor:
        """The mean log-likelihood of the given codes that the request's limits count, so far: float32 of shape [].

        0 if they count none.
        """
        ...
