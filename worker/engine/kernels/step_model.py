"""A model and its cache in the native library, with NumPy arrays."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from worker.engine.kernels.native_library import NativeStepError, ShapeStruct, instruction_sets, load_library

# As in the header.
MAX_ROWS = 128
KINDS = (
    "norm_past", "past_in", "past_out", "norm_text", "text_query", "text_out", "norm_forward", "forward_in",
    "forward_out", "norm_out", "logits", "embedding", "sinusoid",
)  # fmt: skip
# Outputs of one head, and rows of embeddings, are padded to a multiple of this.
BLOCK = 64
NO_TEXT = -1

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class StepShape:
    """The shape of a model. `positions` is the longest sequence, `cross` whether layers attend to a text."""

    dim: int
    heads: int
    layers: int
    hidden: int
    codebooks: int
    codebook_size: int
    positions: int
    cross: bool
    threads: int = 1

    def to_c(self) -> ShapeStruct:
        return ShapeStruct(**{name: int(value) for name, value in asdict(self).items()})


def cache_bytes(shape: StepShape, sequences: int, texts: int, tokens: int) -> int:
    """Memory of a `StepCache`."""
    return int(load_library().mg_cache_bytes(shape.to_c(), sequences, texts, tokens))


class StepCache:
    """Keys and values of `sequences`, and of `texts` of at most `tokens` each, in int8."""

    def __init__(self, shape: StepShape, sequences: int, texts: int, tokens: int) -> None:
        self._library = load_library()
        self._text_shape = (shape.layers, 2, shape.heads, shape.dim // shape.heads)
        self.handle = self._library.mg_cache_new(shape.to_c(), sequences, texts, tokens)
        if not self.handle:
            raise MemoryError(f"no memory for the keys and values of {sequences} sequences")

    def set_text(self, text: int, projected: Floats) -> None:
        """Store a text: float32 of shape [layers, 2, heads, tokens, head_dim]."""
        *outer, tokens, head_dim = projected.shape
        if (*outer, head_dim) != self._text_shape:
            raise NativeStepError(f"a text of shape {projected.shape} does not fit this model")
        projected = np.ascontiguousarray(projected, np.float32)
        if self._library.mg_cache_set_text(self.handle, text, projected.ctypes.data, tokens):
            raise NativeStepError(f"text {text} with {tokens} tokens is out of the cache's range")

    def __del__(self) -> None:
        if getattr(self, "handle", None):
            self._library.mg_cache_free(self.handle)


class StepModel:
    """A model's weights in int8 or int4, and the threads that run its steps. One caller at a time may use it."""

    def __init__(self, shape: StepShape, instruction_set: str | None = None) -> None:
        """Allocate it; `set` then gives it each of its weights.

        Raises:
            NativeStepError: if this processor lacks `instruction_set`; None is the fastest that it has.
            MemoryError: if memory is short.
        """
        self._library = load_library()
        available = instruction_sets()
        self.instruction_set = instruction_set or available[0]
        if self.instruction_set not in available:
            raise NativeStepError(f"this processor has {', '.join(available)}, not {self.instruction_set}")
        self.shape = shape
        self._handle = self._library.mg_model_new(shape.to_c(), self.instruction_set.encode())
        if not self._handle:
            raise MemoryError("no memory for the native step")

    def set(self, kind: str, weights: Floats, layer: int = 0, bits: int = 8) -> None:
        """Copy weights of one kind; the header has their shapes. Those of a matrix have 8 or 4 bits each."""
        if bits not in (8, 4):
            raise NativeStepError(f"weights have 8 or 4 bits, not {bits}")
        weights = np.ascontiguousarray(weights, np.float32)
        if weights.size != self._size(kind):
            raise NativeStepError(f"{kind} of shape {weights.shape} does not fit this model")
        if self._library.mg_model_set(self._handle, KINDS.index(kind), layer, bits, weights.ctypes.data):
            raise MemoryError(f"no memory for {kind}")

    def embed(self, codes: NDArray[np.int64]) -> Floats:
        """The sum of the codebooks' embeddings in the order of a step: [n, codebooks] → [n, dim]."""
        shape = self.shape
        tables = np.ctypeslib.as_array(
            self._library.mg_model_embedding(self._handle),
            (shape.codebooks, shape.codebook_size + 1, padded(shape.dim)),
        )
        total = np.zeros((len(codes), shape.dim), np.float32)
        for book, table in enumerate(tables):
            total += table[codes[:, book], : shape.dim]
        return total

    def step(
        self,
        cache: StepCache,
        rows: Sequence[tuple[int, int, int]],
        codes: NDArray[np.int64] | None = None,
        inputs: Floats | None = None,
        logits: Floats | None = None,
    ) -> None:
        """Run one position of each row, at most `MAX_ROWS`.

        Args:
            cache: read up to each row's position, and written there.
            rows: (sequence, position, text or NO_TEXT) of each. Positions of the same sequence must be in order.
            codes: int64 of shape [rows, codebooks]; or None if there are inputs.
            inputs: float32 of shape [rows, dim], without positional embeddings; or None.
            logits: receives float32 of shape [rows, codebooks, codebook_size]; None if they are not needed.

        Raises:
            NativeStepError: if a row or code is out of range.
        """
        table = np.array(rows, np.int32)
        self._check(len(rows), codes, inputs, logits)
        refused = self._library.mg_step(
            self._handle, cache.handle, len(rows), table.ctypes.data, _data(codes), _data(inputs), _data(logits)
        )
        if refused:
            raise NativeStepError(f"a row or a code of the step is out of range: {list(rows)}")

    def _check(self, rows: int, codes: NDArray[np.int64] | None, inputs: Floats | None, logits: Floats | None) -> None:
        shape = self.shape
        wanted = (
            (codes, (rows, shape.codebooks), np.int64),
            (inputs, (rows, shape.dim), np.float32),
            (logits, (rows, shape.codebooks, shape.codebook_size), np.float32),
        )
        for array, of_shape, dtype in wanted:
            if array is not None and (array.shape != of_shape or array.dtype != dtype or not array.flags.c_contiguous):
                raise NativeStepError(f"an array of shape {array.shape} stands where {of_shape} is needed")

    def _size(self, kind: str) -> int:
        shape = self.shape
        head_dim = shape.dim // shape.heads
        match kind:
            case "past_in":
                return shape.heads * padded(3 * head_dim) * shape.dim
            case "text_query":
                return shape.heads * padded(head_dim) * shape.dim
            case "past_out" | "text_out":
                return shape.dim * shape.dim
            case "forward_in" | "forward_out":
                return shape.dim * shape.hidden
            case "logits":
                return shape.codebooks * shape.codebook_size * shape.dim
            case "embedding":
                return shape.codebooks * (shape.codebook_size + 1) * shape.dim
            case "sinusoid":
                return shape.positions * shape.dim
            case _:
                return 2 * shape.dim

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._library.mg_model_free(self._handle)


def padded(outputs: int) -> int:
    """A number of outputs or of inputs, with padding."""
    return -(-outputs // BLOCK) * BLOCK


def _data(array: NDArray[np.int64] | Floats | None) -> int | None:
    return None if array is None else array.ctypes.data
