"""What the running batch is asked for."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Request:
    """One piece to make.

    Attributes:
        text: its prompt, projected for cross-attention: [layers, 2, heads, tokens, head_dim]; or None.
        prefix: conditions that stand before the codes: [parts, positions, dim]; or None.
        frames: of the whole piece, the given ones included.
        temperature: 0 takes the likeliest code at each step.
        top_k: 0 is off.
        top_p: 0 is off; else it overrides top_k.
        cfg_scale: of classifier-free guidance; 1 needs no second row.
        seed: of the noise.
        samples: of audio that are wanted; what the codec makes beyond them is not needed, nor are frames for it.
        given: codes to go on from, int64 of shape [codebooks, frames].
        limits: of the decoder's grammar, if it has one: see `TokenConstraint.begin`.
    """

    text: Tensor | None
    frames: int
    prefix: Tensor | None = None
    temperature: float = 1.0
    top_k: int = 250
    top_p: float = 0.0
    cfg_scale: float = 3.0
    seed: int = 0
    samples: int | None = None
    given: Tensor | None = None
    limits: Tensor | None = None

    @property
    def text_tokens(self) -> int:
        """Length of the text in cross-attention."""
        return 0 if self.text is None else self.text.shape[3]

    @property
    def prefix_length(self) -> int:
        """Positions before those of the codes."""
        return 0 if self.prefix is None else self.prefix.shape[1]

    @property
    def is_guided(self) -> bool:
        return self.cfg_scale != 1.0
