"""A checkpoint folder whose model writes scores: tiny, and untrained, so that it plays at random."""

from pathlib import Path

import torch
from omegaconf import OmegaConf

from tests.unit.worker.engine.sampler.songs import POP, song
from training.alphabet import Alphabet
from training.export import TEXT_ENCODER, codec_config, language_model_config, language_model_weights
from training.model import Shape, StarterModel
from training.text import make_encoder, make_tokenizer, save
from worker.engine.sampler.codes import NOTHING, STOP, encode
from worker.engine.sampler.conductor import SECTION
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import Header, Section

HEADER = Header(bpm=126)
# It has no code for the pad, so that this stream is silent.
SILENT = Stream.PAD
PLAYING = tuple(stream for stream in Stream if stream not in (Stream.CONDUCTOR, SILENT))


def write_sampler_checkpoint(folder: Path) -> Path:
    """Write it; always the same one."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        alphabet = _alphabet()
        model = StarterModel(Shape(card=alphabet.card, dim=32, heads=2, layers=1, text_dim=32, segment=128))
        tokenizer = make_tokenizer(["happy piano"] * 8)
        encoder = make_encoder(tokenizer, dim=32, layers=1)
    folder.mkdir(parents=True)
    save(folder / TEXT_ENCODER, tokenizer, encoder)
    _write(folder / "state_dict.bin", language_model_config(model.shape), language_model_weights(model))
    _write(folder / "compression_state_dict.bin", codec_config(alphabet), {})
    return folder


def _write(file: Path, configuration: dict[str, object], weights: dict[str, torch.Tensor]) -> None:
    torch.save({"xp.cfg": OmegaConf.to_yaml(OmegaConf.create(configuration)), "best_state": weights}, file)


def _alphabet() -> Alphabet:
    """What a song is made of, but for its end and everybody's stops: a random model would end at once."""
    streams = [sorted(set(map(int, row)) - {STOP, SECTION + Section.END}) for row in encode(song(HEADER, POP, 4))]
    streams[SILENT] = [NOTHING]
    return Alphabet(tuple((NOTHING, *(code for code in row if code != NOTHING)) for row in streams))
