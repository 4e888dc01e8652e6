"""A request to the running batch."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Request:
    """One piece to generate.

    Attributes:
        text: the prompt, projected for cross-attention: [layers, 2, heads, tokens, head_dim]; or None.
        negative: the negative prompt in the same form, which the unconditional row reads; or None.
        prefix: conditions before the codes: [parts, positions, dim]; or None.
        later_prefixes: those of the windows after the first one, with the same shape; none if they do not differ.
        frames: length of the piece, including given frames.
        temperature: 0 always takes the most likely code.
        top_k: 0 is off.
        top_p: 0 is off; else it overrides top_k.
        cfg_scale: scale of classifier-free guidance; 1 needs no unconditional row.
        seed: of the noise.
        samples: requested samples of audio; generation stops as soon as the codec has made them.
        given: codes to continue, int64 of shape [codebooks, frames].
        limits: for the decoder's constraint: see `TokenConstraint.begin`.
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
    limits: tuple[Tensor, ...] | None = None
    negative: Tensor | None = None
    later_prefixes: tuple[Tensor, ...] = ()

    @property
    def text_tokens(self) -> int:
        """Tokens of the text in cross-attention."""
        return 0 if self.text is None else self.text.shape[3]

    @property
    def negative_tokens(self) -> int:
        """Tokens of the unconditional row's text in cross-attention; 0 without guidance, which has no such row."""
        return 0 if self.negative is None or not self.is_guided else self.negative.shape[3]

    @property
    def prefix_length(self) -> int:
        """Positions before the codes."""
        return 0 if self.prefix is None else self.prefix.shape[1]

    def prefix_of(self, window: int) -> Tensor | None:
        """The conditions before the codes of a window, counted from 0."""
        return self.later_prefixes[window - 1] if window and self.later_prefixes else self.prefix

    @property
    def is_guided(self) -> bool:
        return self.cfg_scale != 1.0
