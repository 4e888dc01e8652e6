"""OpenVINO's step: a stateful graph of the same model with compressed weights.

Weights are int8 with a scale per output, which its CPU plugin multiplies without expanding them. Keys and values are
variables that it fuses with attention and keeps in eight bits.
"""

from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import Model, Tensor, Type
from openvino import opset13 as ops
from openvino.op.util import Variable, VariableInfo

from bench.step_weights import EPSILON, FILLING, Floats, StepWeights, round_blocks
from worker.engine.batching.kv_cache import PARTS


class OpenVinoStep:
    """See `StepContestant`."""

    def __init__(self, reference: str, threads: int) -> None:
        self._weights = StepWeights(reference)
        options = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": str(threads)}
        self.compiled = openvino.Core().compile_model(_Graph(self._weights).model(), "CPU", options)
        self._request = self.compiled.create_infer_request()

    def begin(self, users: int, position: int, room: int) -> None:
        """See `StepContestant.begin`; the variables grow by themselves."""
        config = self._weights.config
        self._request.reset_state()
        if position:
            past = Tensor(np.full((PARTS * users, config.heads, position, config.head_dim), FILLING, np.float32))
            for state in self._request.query_state():
                state.state = past
        text = self._weights.text.flatten(0, 1)[:, None].repeat(1, users, 1, 1, 1)
        self._request.set_tensor("text", Tensor(np.ascontiguousarray(text.numpy())))
        self._request.set_tensor("beam", Tensor(np.arange(PARTS * users, dtype=np.int32)))

    def step(self, codes: NDArray[np.int64], position: int) -> Floats:
        """See `StepContestant.step`."""
        config = self._weights.config
        self._request.set_tensor("codes", Tensor(codes))
        self._request.set_tensor("position", Tensor(np.array([position], np.int64)))
        self._request.infer()
        logits: Floats = self._request.get_output_tensor().data
        return logits.reshape(PARTS, -1, config.codebooks, config.codebook_size)

    def bytes_read(self, users: int, position: int) -> int:
        """See `StepContestant.bytes_read`."""
        return self._weights.products() + self._weights.cached(users, position)


class _Graph:
    """Builds the graph. Its rows are the conditional ones of all users, then their unconditional ones."""

    def __init__(self, weights: StepWeights) -> None:
        self._weights = weights
        self._variables: list[Any] = []
        self._writes: list[Any] = []

    def model(self) -> Model:
        config = self._weights.config
        codes = ops.parameter([-1, config.codebooks], Type.i64)
        position = ops.parameter([1], Type.i64)
        text = ops.parameter([2 * config.layers, -1, config.heads, -1, config.head_dim], Type.f32)
        self._beam = ops.parameter([-1], Type.i32)
        inputs = {"codes": codes, "position": position, "text": text, "beam": self._beam}
        for name, parameter in inputs.items():
            parameter.output(0).set_names({name})
        parts = ops.split(text, 0, 2 * config.layers)
        texts = [ops.squeeze(part, ops.constant([0])) for part in parts.outputs()]
        x = self._embed(codes, position)
        for layer in range(config.layers):
            x = self._layer(x, f"transformer.layers.{layer}", texts[2 * layer : 2 * layer + 2])
        logits = self._linear(self._norm(x, "out_norm"), self._weights.of_books("linears"))
        return Model([ops.result(logits)], self._writes, list(inputs.values()), self._variables, "step")

    def _embed(self, codes: Any, position: Any) -> Any:
        rows = ops.add(codes, ops.constant(self._weights.first_codes()))
        vectors = ops.gather(ops.constant(self._weights.of_books("emb")), rows, 0)
        total = ops.reduce_sum(vectors, ops.constant([1]), keep_dims=True)
        x = ops.add(total, ops.gather(ops.constant(self._weights.sinusoid()), position, 0))
        return ops.concat([x] * PARTS, 0)

    def _layer(self, x: Any, name: str, text: list[Any]) -> Any:
        weights = self._weights
        projected = self._linear(self._norm(x, f"{name}.norm1"), weights.array(f"{name}.self_attn.in_proj_weight"))
        query, key, value = (self._heads(part) for part in ops.split(projected, 2, 3).outputs())
        past = ops.scaled_dot_product_attention(
            query, self._remember(key, f"{name}.key"), self._remember(value, f"{name}.value")
        )
        x = ops.add(x, self._linear(self._joined(past), weights.array(f"{name}.self_attn.out_proj")))
        with_text, without = ops.split(x, 0, PARTS).outputs()
        query = self._linear(self._norm(with_text, f"{name}.norm_cross"), weights.text_query(name))
        attended = self._joined(ops.scaled_dot_product_attention(self._heads(query), *text))
        added = ops.add(with_text, self._linear(attended, weights.array(f"{name}.cross_attention.out_proj")))
        x = ops.concat([added, without], 0)
        hidden = self._linear(self._norm(x, f"{name}.norm2"), weights.array(f"{name}.linear1"))
        return ops.add(x, self._linear(ops.gelu(hidden, "ERF"), weights.array(f"{name}.linear2")))

    def _remember(self, new: Any, name: str) -> Any:
        """All positions of a variable, the new one included. The CPU plugin knows this pattern, the gather included."""
        config = self._weights.config
        info = VariableInfo()
        info.data_shape, info.data_type, info.variable_id = self._shape(-1), Type.f32, name
        variable = Variable(info)
        self._variables.append(variable)
        rows = ops.gather(ops.shape_of(new, "i64"), ops.constant([0]), 0)
        sizes = [rows, *(ops.constant(np.array([size])) for size in (config.heads, 0, config.head_dim))]
        nothing = ops.broadcast(ops.constant(np.float32(0)), ops.concat(sizes, 0))
        kept = ops.gather(ops.read_value(nothing, variable), self._beam, 0)
        extended = ops.concat([kept, new], 2)
        self._writes.append(ops.assign(extended, variable))
        return extended

    def _shape(self, positions: int) -> openvino.PartialShape:
        return openvino.PartialShape([-1, self._weights.config.heads, positions, self._weights.config.head_dim])

    def _heads(self, x: Any) -> Any:
        config = self._weights.config
        split = ops.reshape(x, ops.constant([0, 0, config.heads, config.head_dim]), special_zero=True)
        return ops.transpose(split, ops.constant([0, 2, 1, 3]))

    def _joined(self, x: Any) -> Any:
        back = ops.transpose(x, ops.constant([0, 2, 1, 3]))
        return ops.reshape(back, ops.constant([0, 0, self._weights.config.dim]), special_zero=True)

    def _norm(self, x: Any, name: str) -> Any:
        weight, bias = (ops.constant(self._weights.array(f"{name}.{part}")) for part in ("weight", "bias"))
        normal = ops.mvn(x, ops.constant([2]), normalize_variance=True, eps=EPSILON, eps_mode="inside_sqrt")
        return ops.add(ops.multiply(normal, weight), bias)

    def _linear(self, x: Any, weight: Floats) -> Any:
        rounded, scales = round_blocks(weight, weight.shape[1])
        stored = ops.convert(ops.constant(rounded[:, 0]), "f32")
        return ops.matmul(x, ops.multiply(stored, ops.constant(scales)), False, True)
