"""The step in NumPy: the same roundings to integers as in the library, and everything else in float64."""

from math import erf

import numpy as np
from numpy.typing import NDArray

from worker.engine.kernels.step_model import NO_TEXT, Floats, StepModel, StepShape, padded

Doubles = NDArray[np.float64]
Row = tuple[int, int, int]
# The largest byte of an activation.
LEVELS = {"avx2": 127}
_erf = np.vectorize(erf)


def random_weights(shape: StepShape, seed: int = 0) -> dict[tuple[str, int], Floats]:
    """Weights by kind and layer, of audiocraft's shapes; so large that logits differ clearly."""
    random = np.random.default_rng(seed)

    def linear(outputs: int, inputs: int) -> Floats:
        return random.normal(0, 1.5 * inputs**-0.5, (outputs, inputs)).astype(np.float32)

    def norm() -> Floats:
        return np.stack([random.uniform(0.5, 1.5, shape.dim), random.normal(0, 0.1, shape.dim)]).astype(np.float32)

    made: dict[tuple[str, int], Floats] = {}
    for layer in range(shape.layers):
        for kind in ("norm_past", "norm_forward", *(("norm_text",) if shape.cross else ())):
            made[kind, layer] = norm()
        made["past_in", layer] = linear(3 * shape.dim, shape.dim)
        for kind in ("past_out", *(("text_query", "text_out") if shape.cross else ())):
            made[kind, layer] = linear(shape.dim, shape.dim)
        made["forward_in", layer] = linear(shape.hidden, shape.dim)
        made["forward_out", layer] = linear(shape.dim, shape.hidden)
    made["norm_out", 0] = norm()
    made["logits", 0] = linear(shape.codebooks * shape.codebook_size, shape.dim)
    made["embedding", 0] = linear(shape.codebooks * (shape.codebook_size + 1), shape.dim)
    made["sinusoid", 0] = random.uniform(-1, 1, (shape.positions, shape.dim)).astype(np.float32)
    return made


def native_model(
    shape: StepShape, weights: dict[tuple[str, int], Floats], instruction_set: str | None = None, bits: int = 8
) -> StepModel:
    model = StepModel(shape, instruction_set)
    for (kind, layer), array in weights.items():
        parts = {"past_in": 3, "text_query": 1}.get(kind)
        model.set(kind, array if parts is None else _by_head(array, parts, shape.heads), layer, bits)
    return model


def _by_head(weight: Floats, parts: int, heads: int) -> Floats:
    by_head = weight.reshape(parts, heads, -1, weight.shape[1]).swapaxes(0, 1).reshape(heads, -1, weight.shape[1])
    return np.pad(by_head, ((0, 0), (0, padded(by_head.shape[1]) - by_head.shape[1]), (0, 0)))


class Reference:
    """The model in NumPy, with its keys and values."""

    def __init__(
        self, shape: StepShape, weights: dict[tuple[str, int], Floats], instruction_set: str, bits: int = 8
    ) -> None:
        self._shape = shape
        self._levels = LEVELS.get(instruction_set, 255)
        self._plain = weights
        self._rounded = {key: (_round_rows if bits == 8 else _round_spans)(array) for key, array in weights.items()}
        self._past: dict[tuple[int, int], list[tuple[Doubles, Doubles]]] = {}
        self._text: dict[int, Floats] = {}

    def set_text(self, text: int, projected: Floats) -> None:
        self._text[text] = projected

    def step(self, row: Row, codes: NDArray[np.int64] | None = None, given: Floats | None = None) -> Doubles:
        """Logits of one row: [codebooks, codebook_size]."""
        shape = self._shape
        if codes is None:
            assert given is not None
            x = given.astype(np.float64)
        else:
            tables = self._plain["embedding", 0].reshape(shape.codebooks, -1, shape.dim)
            x = tables[np.arange(shape.codebooks), codes].astype(np.float64).sum(0)
        x = x + self._plain["sinusoid", 0][row[1]]
        for layer in range(shape.layers):
            query, key, value = self._linear(self._norm(x, "norm_past", layer), "past_in", layer).reshape(3, -1)
            x = x + self._linear(self._past_attention(layer, row, query, key, value), "past_out", layer)
            if row[2] != NO_TEXT:
                query = self._linear(self._norm(x, "norm_text", layer), "text_query", layer)
                keys, values = self._text[row[2]][layer].astype(np.float64)
                x = x + self._linear(self._attention(query, keys, values), "text_out", layer)
            hidden = self._linear(self._norm(x, "norm_forward", layer), "forward_in", layer)
            hidden = hidden * (1 + _erf(hidden / 2**0.5)) / 2
            x = x + self._linear(hidden, "forward_out", layer)
        return self._linear(self._norm(x, "norm_out", 0), "logits", 0).reshape(shape.codebooks, -1)

    def remember(self, row: Row, given: Floats) -> None:
        """Store the keys and values of one position of a model with a single layer, without computing the rest."""
        x = given.astype(np.float64) + self._plain["sinusoid", 0][row[1]]
        _, key, value = self._linear(self._norm(x, "norm_past", 0), "past_in", 0).reshape(3, -1)
        self._past.setdefault((0, row[0]), []).append((key, value))

    def _norm(self, x: Doubles, kind: str, layer: int) -> Doubles:
        weight, bias = self._plain[kind, layer]
        return np.asarray((x - x.mean()) / np.sqrt(x.var() + 1e-5) * weight + bias)

    def _linear(self, x: Doubles, kind: str, layer: int) -> Doubles:
        level = (max(x.max(), 0.0) - min(x.min(), 0.0)) / self._levels
        zero = np.floor(-min(x.min(), 0.0) / level + 0.5)
        rounded = np.minimum(np.floor(x / level + zero + 0.5), self._levels) - zero
        weight, scale = self._rounded[kind, layer]
        return np.asarray(weight @ rounded * scale * level)

    def _past_attention(self, layer: int, row: Row, query: Doubles, key: Doubles, value: Doubles) -> Doubles:
        past = self._past.setdefault((layer, row[0]), [])
        del past[row[1] :]
        past.append((key, value))
        keys, values = (np.stack(each).reshape(len(past), self._shape.heads, -1) for each in zip(*past, strict=True))
        return self._attention(query, keys.swapaxes(0, 1), values.swapaxes(0, 1))

    def _attention(self, query: Doubles, keys: Doubles, values: Doubles) -> Doubles:
        """Of all heads: keys and values have the shape [heads, positions, head_dim]."""
        made = []
        for head, one in enumerate(query.reshape(self._shape.heads, -1)):
            (key, key_scale), (value, value_scale) = _round_rows(keys[head]), _round_rows(values[head])
            level = max(np.abs(one).max(), 1e-12) / 8191
            scores = key @ np.floor(one / level + 0.5) * key_scale * level / len(one) ** 0.5
            weights = np.exp(scores - scores.max())
            scaled = weights * value_scale
            level = scaled.max() / 16383
            made.append(np.floor(scaled / level + 0.5) @ value * level / weights.sum())
        return np.concatenate(made)


def _round_spans(x: Floats) -> tuple[Doubles, Doubles]:
    """Weights rounded to -8 to 7 times a scale for every 32 inputs, and 1 as the scale of each row."""
    spans = -(-x.shape[-1] // 32)
    of_spans = np.pad(x, ((0, 0), (0, spans * 32 - x.shape[-1]))).reshape(len(x), spans, 32)
    largest = np.take_along_axis(of_spans, np.abs(of_spans).argmax(-1, keepdims=True), -1)
    scale = _round_to_bfloat16(largest / np.float32(-8))
    rounded = np.clip(np.round(of_spans / np.where(scale == 0, 1, scale)), -8, 7) * scale.astype(np.float64)
    return rounded.reshape(len(x), -1)[:, : x.shape[-1]], np.ones(len(x))


def _round_to_bfloat16(x: Floats) -> Floats:
    """The nearest numbers whose lower 16 bits are zero; of two the one that is even."""
    bits = x.astype(np.float32).view(np.uint32).astype(np.uint64)
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16 << 16
    return rounded.astype(np.uint32).view(np.float32)


def _round_rows(x: Floats | Doubles) -> tuple[Doubles, Doubles]:
    """Whole numbers up to 127, and the scale of each row."""
    scale = np.maximum(np.abs(x).max(-1), 1e-12).astype(np.float64) / 127
    return np.round(x / scale[..., None]), scale
