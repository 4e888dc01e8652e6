"""The score's codes that a model knows, under the model's own numbers: a checkpoint lists them for each stream."""

from collections.abc import Sequence

import torch
from torch import Tensor

from worker.engine.batching.codec.interface import Codec, CodecStream
from worker.engine.sampler.codes import CARD, NOTHING, Codes
from worker.engine.sampler.proofreader import Proofreader


class AlphabetCodec:
    """A codec of scores that is spoken to in a model's numbers, and corrects its slips; see `Proofreader`."""

    def __init__(self, codec: Codec, alphabet: Sequence[Sequence[int]]) -> None:
        """Put it before `codec`.

        Args:
            codec: understands the score's codes.
            alphabet: for each stream the score's codes in the order of the model's.

        Raises:
            ValueError: if it does not fit to the codec.
        """
        if len(alphabet) != codec.codebooks or not all(0 <= code < CARD for stream in alphabet for code in stream):
            raise ValueError(f"An alphabet of {len(alphabet)} streams does not fit to {codec.codebooks}.")
        self._codec = codec
        self.sample_rate, self.channels = codec.sample_rate, codec.channels
        self.samples_per_frame, self.frame_rate = codec.samples_per_frame, codec.frame_rate
        self.codebooks, self.lookahead = codec.codebooks, codec.lookahead
        self.card = max(map(len, alphabet))
        self._codes = torch.full((self.codebooks, self.card), NOTHING)
        for row, stream in zip(self._codes, alphabet, strict=True):
            row[: len(stream)] = torch.tensor(stream)

    def stream(self, total_samples: int | None = None) -> "AlphabetStream":
        """See `Codec.stream`."""
        return AlphabetStream(self._codec.stream(total_samples), self._codes)


class AlphabetStream:
    """See `CodecStream`."""

    def __init__(self, stream: CodecStream, codes: Tensor) -> None:
        self._stream = stream
        self._codes = codes
        self._proofreader = Proofreader()
        self._pushed = [codes[:, :0]]

    def push(self, codes: Tensor, last: bool = False) -> Tensor:
        """See `CodecStream.push`."""
        # A code beyond a stream's own ones can be drawn where another stream has more: it says nothing new.
        score = torch.from_numpy(self._proofreader.correct(self._codes.gather(1, codes.cpu()).numpy()))
        self._pushed.append(score)
        return self._stream.push(score, last)

    def score(self) -> Codes:
        """The codes of all that was pushed until now, as it was played: int64 of shape [8, steps]. For any thread."""
        return torch.cat(tuple(self._pushed), 1).numpy()
