"""What a MusicGen language model is made of, read from the `xp.cfg` of its checkpoint."""

from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

TEXT = "description"

# The option's place in the configuration, and the only value that this engine knows exactly.
_KNOWN: dict[str, object] = {
    "lm_model": "transformer_lm",
    "transformer_lm.norm_first": True,
    "transformer_lm.norm": "layer_norm",
    "transformer_lm.activation": "gelu",
    "transformer_lm.causal": True,
    "transformer_lm.bias_ff": False,
    "transformer_lm.bias_attn": False,
    "transformer_lm.bias_proj": False,
    "codebooks_pattern.modeling": "delay",
}
# The same for options that older checkpoints leave out.
_DEFAULTS: dict[str, object] = {
    "transformer_lm.positional_embedding": "sin",
    "transformer_lm.positional_scale": 1.0,
    "transformer_lm.past_context": None,
    "transformer_lm.layer_scale": None,
    "transformer_lm.qk_layer_norm": False,
    "transformer_lm.qk_layer_norm_cross": False,
    "transformer_lm.kv_repeat": 1,
    "transformer_lm.two_step_cfg": False,
    "codebooks_pattern.delay.flatten_first": 0,
    "codebooks_pattern.delay.empty_initial": 0,
    "fuser.cross_attention_pos_emb": False,
    "interleave_stereo_codebooks.per_timestep": False,
}


class UnsupportedModelError(Exception):
    """This engine does not know the model exactly; audiocraft's own does. The text says what is unusual."""


@dataclass(frozen=True)
class LanguageModelConfig:
    """The shape of the language model.

    Attributes:
        hidden: width of the feed-forward block.
        card: codes in a codebook; the special token's number is `card`.
        delays: frames by which each codebook lags.
        segment: seconds of audio that the model can make in one window.
        text_encoder: name or folder of its T5.
        stereo: whether the codebooks of two channels alternate.
    """

    dim: int
    heads: int
    layers: int
    hidden: int
    codebooks: int
    card: int
    delays: tuple[int, ...]
    segment: float
    text_encoder: str
    max_period: float = 10_000.0
    stereo: bool = False

    @property
    def head_dim(self) -> int:
        return self.dim // self.heads


def parse_config(text: str) -> LanguageModelConfig:
    """The configuration in `xp.cfg`, a YAML text.

    Raises:
        UnsupportedModelError: if it names an option that this engine does not know exactly.
    """
    tree = OmegaConf.create(text)
    if not isinstance(tree, DictConfig):
        raise UnsupportedModelError("its configuration is no mapping")
    for name, known in _KNOWN.items():
        _check(name, OmegaConf.select(tree, name), known)
    for name, known in _DEFAULTS.items():
        _check(name, OmegaConf.select(tree, name, default=known), known)
    _check_conditions(tree)
    model = tree.transformer_lm
    return LanguageModelConfig(
        dim=model.dim,
        heads=model.num_heads,
        layers=model.num_layers,
        hidden=int(model.hidden_scale * model.dim),
        codebooks=model.n_q,
        card=model.card,
        delays=_delays(tree, model.n_q),
        segment=float(tree.dataset.segment_duration),
        text_encoder=tree.conditioners[TEXT].t5.name,
        max_period=float(model.get("max_period", 10_000.0)),
        stereo=bool(OmegaConf.select(tree, "interleave_stereo_codebooks.use", default=False)),
    )


def _check(name: str, value: Any, known: object) -> None:
    if value != known:
        raise UnsupportedModelError(f"its {name} is {value}, not {known}")


def _check_conditions(tree: DictConfig) -> None:
    conditioners = dict(tree.get("conditioners") or {})
    conditioners.pop("args", None)
    if list(conditioners) != [TEXT] or conditioners[TEXT].model != "t5":
        raise UnsupportedModelError(f"it is conditioned on {', '.join(sorted(conditioners)) or 'nothing'}")
    _check("text normalization", conditioners[TEXT].t5.get("normalize_text", False), False)
    fuser = {name: list(value) for name, value in tree.fuser.items() if OmegaConf.is_list(value) and value}
    _check("fuser", fuser, {"cross": [TEXT]})


def _delays(tree: DictConfig, codebooks: int) -> tuple[int, ...]:
    delays = OmegaConf.select(tree, "codebooks_pattern.delay.delays")
    return tuple(range(codebooks)) if delays is None else tuple(delays)
