"""Load a MusicGen checkpoint with audiocraft's own code, from the hub or from a folder.

A folder may contain its text encoder: the `name` of its T5 conditioner is then a subfolder.
"""

from pathlib import Path

from audiocraft.models import CompressionModel, MusicGen, builders, loaders
from audiocraft.modules.conditioners import T5Conditioner
from omegaconf import DictConfig, OmegaConf
from transformers import AutoConfig

from worker.engine.loading.codecs import is_sampler, score_level


def load_musicgen(reference: str, device: str) -> MusicGen:
    """Load the model onto `device`, like `MusicGen.get_pretrained`.

    Args:
        reference: path of a folder, or a repository on the hub.
        device: cuda, mps or cpu.

    Raises:
        OSError, RuntimeError, KeyError, pickle.UnpicklingError: if it cannot be found or read.
    """
    package = loaders.load_lm_model_ckpt(reference)
    configuration = OmegaConf.create(package["xp.cfg"])
    configuration.device = device
    configuration.dtype = "float32" if device == "cpu" else "float16"
    _drop_training_options(configuration)
    register_text_encoder(configuration, Path(reference))
    language_model = builders.get_lm_model(configuration)
    language_model.load_state_dict(package["best_state"])
    language_model.cfg = configuration
    compression_model = _compression_model(reference, device)
    conditioners = language_model.condition_provider.conditioners
    if "self_wav" in conditioners:
        conditioners["self_wav"].match_len_on_eval = True
        conditioners["self_wav"]._use_masking = False
    return MusicGen(reference, compression_model, language_model)


def _compression_model(reference: str, device: str) -> CompressionModel:
    package = loaders.load_compression_model_ckpt(reference)
    if not is_sampler(package.get("xp.cfg", "")):
        return loaders.load_compression_model(reference, device=device)
    from worker.engine.sampler.codec import SamplerCodec  # loads its sample bank
    from worker.engine.sampler.compression_model import SamplerCompressionModel

    return SamplerCompressionModel(SamplerCodec(level=score_level(package["xp.cfg"])))


def register_text_encoder(configuration: DictConfig, folder: Path) -> None:
    """Register text encoders inside the checkpoint's folder with audiocraft."""
    for conditioner in (configuration.get("conditioners") or {}).values():
        if conditioner.get("model") != "t5":
            continue
        encoder = folder / conditioner.t5.name
        if encoder.is_dir():
            conditioner.t5.name = str(encoder)
            T5Conditioner.MODELS.append(str(encoder))
            T5Conditioner.MODELS_DIMS[str(encoder)] = AutoConfig.from_pretrained(encoder).d_model


def _drop_training_options(configuration: DictConfig) -> None:
    """Remove training options, as audiocraft's loader does."""
    for name in (
        "conditioners.self_wav.chroma_stem.cache_path",
        "conditioners.args.merge_text_conditions_p",
        "conditioners.args.drop_desc_p",
    ):
        loaders._delete_param(configuration, name)
