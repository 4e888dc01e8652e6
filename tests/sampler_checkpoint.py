"""A checkpoint folder whose model writes scores: tiny, and it knows one song, which it plays with many mistakes."""

from pathlib import Path

import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from tests.unit.worker.engine.sampler.songs import POP, song
from training.export import CODEC_CONFIG, TEXT_ENCODER, language_model_config, language_model_weights
from training.model import Shape, StarterModel, delayed
from training.text_encoder import make_encoder, make_tokenizer, save
from worker.engine.sampler.codes import CODEBOOK_SIZE, encode
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import Header, Score

HEADER = Header(bpm=126)
# The song has no events in this stream.
SILENT = Stream.PAD
PLAYING = tuple(stream for stream in Stream if stream not in (Stream.CONDUCTOR, SILENT))
# Fewer than the model's dimensions, so that least squares fit exactly.
FRAMES = 128
# Logits of the correct codes: the conductor is certain, the other streams vary.
SURE, GUESSED = 30.0, 6.0


def write_sampler_checkpoint(folder: Path) -> Path:
    """Write a deterministic checkpoint that has learnt one song by heart."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = StarterModel(Shape(card=CODEBOOK_SIZE, dim=256, heads=4, layers=1, text_dim=32, segment=FRAMES))
        tokenizer = make_tokenizer(["happy piano"] * 8)
        encoder = make_encoder(tokenizer, dim=32, layers=1)
    _learn(model, torch.from_numpy(encode(_song())[None, :, :FRAMES]))
    folder.mkdir(parents=True)
    save(folder / TEXT_ENCODER, tokenizer, encoder)
    _write(folder / "state_dict.bin", language_model_config(model.shape), language_model_weights(model))
    _write(folder / "compression_state_dict.bin", CODEC_CONFIG, {})
    return folder


def _song() -> Score:
    score = song(HEADER, POP, FRAMES // HEADER.steps)
    return Score(score.header, score.sections, score.steps, {stream: score.events[stream] for stream in PLAYING})


@torch.no_grad()
def _learn(model: StarterModel, codes: Tensor) -> None:
    """Fit each head by least squares to the next code, from the hidden states of the song's positions.

    The model ignores captions and all streams but the conductor, so a sampled mistake does not spread.
    """
    for silenced in (model.output_proj.weight, model.output_proj.bias, *list(model.emb.parameters())[1:]):
        silenced.zero_()
    sequence, hidden = delayed(codes, CODEBOOK_SIZE), []
    model.out_norm.register_forward_hook(lambda module, given, made: hidden.append(made[0, :-1]))
    model(sequence, torch.zeros(1, 1, 32), torch.ones(1, 1, dtype=torch.bool))
    for stream, head in enumerate(model.linears):
        assert isinstance(head, nn.Linear)
        targets = sequence[0, stream, 1:]
        known = targets < CODEBOOK_SIZE
        wanted = nn.functional.one_hot(targets[known], CODEBOOK_SIZE) * (GUESSED if stream else SURE)
        head.weight[:] = torch.linalg.lstsq(hidden[0][known].double(), wanted.double()).solution.T


def _write(file: Path, configuration: dict[str, object] | dict[str, str], weights: dict[str, Tensor]) -> None:
    torch.save({"xp.cfg": OmegaConf.to_yaml(OmegaConf.create(configuration)), "best_state": weights}, file)
