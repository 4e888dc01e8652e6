"""What the running batch is asked for."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Request:
    """One piece to make.

    Attributes:
        text: its prompt, projected: [layers, 2, heads, tokens, head_dim].
        frames: of the whole piece, the given ones included.
        temperature: 0 takes the likeliest code at each step.
        top_k: 0 is off.
        top_p: 0 is off; else it overrides top_k.
        coefficient: of classifier-free guidance; 1 needs no second row.
        seed: of the noise.
        given: codes to go on from, int64 of shape [codebooks, frames].
    """

    text: Tensor
    frames: int
    temperature: float = 1.0
    top_k: int = 250
    top_p: float = 0.0
    coefficient: float = 3.0
    seed: int = 0
    given: Tensor | None = None

    @property
    def is_guided(self) -> bool:
        return self.coefficient != 1.0
