"""The configuration of a MusicGen language model, parsed from the `xp.cfg` of its checkpoint."""

from dataclasses import dataclass
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf

from worker.engine.interface import UnsupportedCheckpointError

TEXT, MELODY = "description", "self_wav"

# Options, each with the only value that this engine supports.
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
# The same for options that older checkpoints omit.
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


class UnsupportedModelError(UnsupportedCheckpointError):
    """This engine does not support the model; audiocraft's may. The message names the unsupported option."""


@dataclass(frozen=True)
class LanguageModelConfig:
    """The shape of the language model.

    Attributes:
        hidden: width of the feed-forward block.
        codebook_size: codes per codebook; the special token has the number `codebook_size`.
        delays: frames by which each codebook lags.
        segment: seconds of audio in one window.
        text_encoder: name or folder of the T5.
        fuses: whether the text enters by cross-attention or as a prefix of the codes.
        melody: the melody condition in the prefix; None if the model has none.
        stereo: whether the codebooks of the left and right channel alternate.
    """

    dim: int
    heads: int
    layers: int
    hidden: int
    codebooks: int
    codebook_size: int
    delays: tuple[int, ...]
    segment: float
    text_encoder: str
    fuses: Literal["cross", "prepend"] = "cross"
    melody: "MelodyConfig | None" = None
    max_period: float = 10_000.0
    stereo: bool = False

    @property
    def head_dim(self) -> int:
        return self.dim // self.heads


@dataclass(frozen=True)
class MelodyConfig:
    """The chromagram that represents a melody.

    Attributes:
        chroma: pitch classes.
        length: frames; shorter melodies are repeated.
        argmax: whether only the strongest pitch class of a frame is kept.
        sample_rate: of the audio, in hertz.
        window: samples of a spectrum; a quarter of it from one frame to the next.
    """

    chroma: int
    length: int
    argmax: bool
    sample_rate: int
    window: int


def parse_config(text: str) -> LanguageModelConfig:
    """Parse `xp.cfg`, which is YAML.

    Raises:
        UnsupportedModelError: if an option has a value that this engine does not support.
    """
    tree = OmegaConf.create(text)
    if not isinstance(tree, DictConfig):
        raise UnsupportedModelError("its configuration is not a mapping")
    for name, known in _KNOWN.items():
        _check(name, OmegaConf.select(tree, name), known)
    for name, known in _DEFAULTS.items():
        _check(name, OmegaConf.select(tree, name, default=known), known)
    melody = _melody(tree)
    model = tree.transformer_lm
    return LanguageModelConfig(
        dim=model.dim,
        heads=model.num_heads,
        layers=model.num_layers,
        hidden=int(model.hidden_scale * model.dim),
        codebooks=model.n_q,
        codebook_size=model.card,
        delays=_delays(tree, model.n_q),
        segment=float(tree.dataset.segment_duration),
        text_encoder=tree.conditioners[TEXT].t5.name,
        fuses=_fuses(tree, melody),
        melody=melody,
        max_period=float(model.get("max_period", 10_000.0)),
        stereo=bool(OmegaConf.select(tree, "interleave_stereo_codebooks.use", default=False)),
    )


def _check(name: str, value: Any, known: object) -> None:
    if value != known:
        raise UnsupportedModelError(f"its {name} is {value}, not {known}")


def _melody(tree: DictConfig) -> MelodyConfig | None:
    """The melody's configuration, or None. Only text and chromagram conditioners are supported."""
    conditioners = {name: value for name, value in (tree.get("conditioners") or {}).items() if name != "args"}
    kinds = {name: value.model for name, value in conditioners.items()}
    if kinds not in ({TEXT: "t5"}, {TEXT: "t5", MELODY: "chroma_stem"}):
        raise UnsupportedModelError(
            f"it is conditioned on {', '.join(f'{name} ({kinds[name]})' for name in sorted(kinds)) or 'nothing'}"
        )
    _check("text normalization", conditioners[TEXT].t5.get("normalize_text", False), False)
    if MELODY not in conditioners:
        return None
    chroma = conditioners[MELODY].chroma_stem
    samples, window = int(chroma.sample_rate * tree.dataset.segment_duration), 2**chroma.radix2_exp
    return MelodyConfig(
        chroma=chroma.n_chroma,
        length=1 + max(samples, window) // (window // 4),
        argmax=bool(chroma.get("argmax", False)),
        sample_rate=chroma.sample_rate,
        window=window,
    )


def _fuses(tree: DictConfig, melody: MelodyConfig | None) -> Literal["cross", "prepend"]:
    fuser = {name: sorted(value) for name, value in tree.fuser.items() if OmegaConf.is_list(value) and value}
    if fuser == {"cross": [TEXT]} and melody is None:
        return "cross"
    if fuser == {"prepend": [TEXT] if melody is None else [TEXT, MELODY]}:
        return "prepend"
    raise UnsupportedModelError(f"its fuser is {fuser}")


def _delays(tree: DictConfig, codebooks: int) -> tuple[int, ...]:
    delays = OmegaConf.select(tree, "codebooks_pattern.delay.delays")
    return tuple(range(codebooks)) if delays is None else tuple(delays)
