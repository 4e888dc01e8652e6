"""ONNX Runtime's step: a graph of the same model in its own operators for int8 weights and a static KV cache.

Weights are int8 in blocks (`MatMulNBits`, which rounds activations to int8 as well). Attention is
`GroupQueryAttention` over float32 buffers that past and present share, so a step copies nothing. All stay bound.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession, OrtValue, SessionOptions

from bench.step_weights import EPSILON, FILLING, Floats, StepWeights, round_blocks
from worker.engine.batching.kv_cache import PARTS

# Inputs per scale.
BLOCK = 128
# Activations are rounded to int8, as in the decode engine.
INT8_ACTIVATIONS = 4
CONTRIB = "com.microsoft"


class OnnxRuntimeStep:
    """See `StepContestant`."""

    def __init__(self, reference: str, threads: int) -> None:
        self._weights = StepWeights(reference)
        options = SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self._session = InferenceSession(_Graph(self._weights).serialize(), options, ["CPUExecutionProvider"])

    def begin(self, users: int, position: int, room: int) -> None:
        """See `StepContestant.begin`."""
        config = self._weights.config
        self._rows = PARTS * users
        self._binding = self._session.io_binding()
        past = (self._rows, config.heads, position + room, config.head_dim)
        for layer in range(config.layers):
            for part, text in zip("kv", self._weights.text[layer], strict=True):
                # It uses the array's own memory.
                cache = OrtValue.ortvalue_from_numpy(np.full(past, FILLING, np.float32))
                self._binding.bind_ortvalue_input(f"past_{part}.{layer}", cache)
                self._binding.bind_ortvalue_output(f"present_{part}.{layer}", cache)
                every = OrtValue.ortvalue_from_numpy(text.repeat(users, 1, 1, 1).numpy())
                self._binding.bind_ortvalue_input(f"text_{part}.{layer}", every)
        shape = (self._rows, 1, config.codebooks * config.codebook_size)
        self._logits = OrtValue.ortvalue_from_shape_and_type(shape, np.float32)
        self._binding.bind_ortvalue_output("logits", self._logits)

    def step(self, codes: NDArray[np.int64], position: int) -> Floats:
        """See `StepContestant.step`."""
        config = self._weights.config
        self._binding.bind_cpu_input("codes", codes)
        self._binding.bind_cpu_input("position", np.array([position], np.int64))
        self._binding.bind_cpu_input("last", np.full(self._rows, position, np.int32))
        self._binding.bind_cpu_input("length", np.array(position + 1, np.int32))
        self._session.run_with_iobinding(self._binding)
        logits: Floats = self._logits.numpy()
        return logits.reshape(PARTS, -1, config.codebooks, config.codebook_size)

    def bytes_read(self, users: int, position: int) -> int:
        """See `StepContestant.bytes_read`."""
        products = self._weights.products()
        return products + 4 * products // BLOCK + 4 * self._weights.cached(users, position)


class _Graph:
    """Builds the graph. Its rows are the conditional ones of all users, then their unconditional ones."""

    def __init__(self, weights: StepWeights) -> None:
        self._weights = weights
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def serialize(self) -> bytes:
        config = self._weights.config
        self._declare()
        x = self._embed()
        for layer in range(config.layers):
            x = self._layer(x, layer, f"transformer.layers.{layer}")
        self._linear(self._norm(x, "out_norm"), self._weights.of_books("linears"), to="logits")
        graph = helper.make_graph(self._nodes, "step", self._inputs, self._outputs, self._constants)
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid(CONTRIB, 1)]
        made: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
        return made

    def _declare(self) -> None:
        config = self._weights.config
        cache = ["rows", config.heads, "capacity", config.head_dim]
        text = ["users", config.heads, "tokens", config.head_dim]
        self._inputs += [
            helper.make_tensor_value_info("codes", TensorProto.INT64, ["users", config.codebooks]),
            helper.make_tensor_value_info("position", TensorProto.INT64, [1]),
            helper.make_tensor_value_info("last", TensorProto.INT32, ["rows"]),
            helper.make_tensor_value_info("length", TensorProto.INT32, []),
        ]
        for name in (f"{part}.{layer}" for layer in range(config.layers) for part in "kv"):
            self._inputs.append(helper.make_tensor_value_info(f"past_{name}", TensorProto.FLOAT, cache))
            self._inputs.append(helper.make_tensor_value_info(f"text_{name}", TensorProto.FLOAT, text))
            self._outputs.append(helper.make_tensor_value_info(f"present_{name}", TensorProto.FLOAT, cache))
        self._outputs.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", 1, "outputs"]))

    def _embed(self) -> str:
        table = self._constant(self._weights.of_books("emb"))
        vectors = self._node("Gather", table, self._node("Add", "codes", self._constant(self._weights.first_codes())))
        total = self._node("ReduceSum", vectors, self._constant(np.array([1])), keepdims=1)
        x = self._node("Add", total, self._node("Gather", self._constant(self._weights.sinusoid()), "position"))
        return self._node("Concat", *[x] * PARTS, axis=0)

    def _layer(self, x: str, layer: int, name: str) -> str:
        weights, heads = self._weights, self._weights.config.heads
        projected = self._linear(self._norm(x, f"{name}.norm1"), weights.array(f"{name}.self_attn.in_proj_weight"))
        past = self._attend_to_past(projected, layer)
        x = self._node("Add", x, self._linear(past, weights.array(f"{name}.self_attn.out_proj")))
        with_text, without = (f"half.{layer}.{part}" for part in range(PARTS))
        self._nodes.append(helper.make_node("Split", [x], [with_text, without], axis=0, num_outputs=PARTS))
        query = self._linear(self._norm(with_text, f"{name}.norm_cross"), weights.text_query(name))
        text = self._node(
            "MultiHeadAttention", query, f"text_k.{layer}", f"text_v.{layer}", domain=CONTRIB, num_heads=heads
        )
        text = self._linear(text, weights.array(f"{name}.cross_attention.out_proj"))
        x = self._node("Concat", self._node("Add", with_text, text), without, axis=0)
        hidden = self._linear(self._norm(x, f"{name}.norm2"), weights.array(f"{name}.linear1"))
        return self._node("Add", x, self._linear(self._node("Gelu", hidden), weights.array(f"{name}.linear2")))

    def _attend_to_past(self, projected: str, layer: int) -> str:
        heads = self._weights.config.heads
        inputs = [projected, "", "", f"past_k.{layer}", f"past_v.{layer}", "last", "length"]
        outputs = [f"past.{layer}", f"present_k.{layer}", f"present_v.{layer}"]
        self._nodes.append(
            helper.make_node(
                "GroupQueryAttention", inputs, outputs, domain=CONTRIB, num_heads=heads, kv_num_heads=heads
            )
        )
        return outputs[0]

    def _norm(self, x: str, name: str) -> str:
        parts = [self._constant(self._weights.array(f"{name}.{part}")) for part in ("weight", "bias")]
        return self._node("LayerNormalization", x, *parts, axis=-1, epsilon=EPSILON)

    def _linear(self, x: str, weight: Floats, to: str = "") -> str:
        outputs, inputs = weight.shape
        rounded, scales = round_blocks(weight, BLOCK)
        around_128 = rounded.view(np.uint8) ^ 128
        return self._node(
            "MatMulNBits", x, self._constant(around_128), self._constant(scales), to=to, domain=CONTRIB,
            K=inputs, N=outputs, bits=8, block_size=BLOCK, accuracy_level=INT8_ACTIVATIONS,
        )  # fmt: skip

    def _node(self, kind: str, *inputs: str, to: str = "", **options: Any) -> str:
        name = to or f"{kind}.{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name], **options))
        return name

    def _constant(self, array: NDArray[Any]) -> str:
        name = f"constant.{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name
