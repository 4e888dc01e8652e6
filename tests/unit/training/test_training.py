"""From pieces to a checkpoint that the decode engine plays, in miniature."""

import string
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import T5EncoderModel, T5Tokenizer

from shared.messages import Recipe
from training.batches import STRANGERS, TrainingPieces
from training.data import ENDINGS, learnt_codes
from training.export import CONDUCTOR_TEMPERATURE, TEMPERATURE, TEXT_ENCODER, language_model_weights
from training.model import HEADER, OPENING, Emphasis, Shape, StarterModel, delayed, losses
from training.music import make_piece
from training.text_encoder import UNKNOWN, strange_words
from training.train import Trainer, start_from
from worker.engine.batching.engine import load
from worker.engine.codec_interface import UnsupportedCodecError
from worker.engine.interface import EngineSettings
from worker.engine.loading.checkpoints import STARTER_FOLDER
from worker.engine.loading.codecs import score_level
from worker.engine.sampler.codes import CODEBOOK_SIZE, decode, encode
from worker.engine.sampler.conductor import METER, TEMPO
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import LEVEL
from worker.engine.text.tokenizer import load_tokenizer

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"),
    pytest.mark.timeout(600),  # it trains: minutes on a slow machine
]

RATE = 32_000


def test_the_engine_plays_what_was_trained(checkpoint: Path) -> None:
    settings = EngineSettings(
        engine="batching", model=str(checkpoint), device="cpu", max_slots=2, max_duration=20.0
    )  # fmt: skip
    engine = load(settings, lambda _: None)
    try:
        recipe = Recipe(model="starter", prompt="upbeat house music, 124 bpm", duration=3.3, seed=3)
        chunks = list(engine.generate(recipe, lambda done, total: None))
        assert np.concatenate(chunks).shape == (round(3.3 * RATE), 2)
        again = list(engine.generate(recipe, lambda done, total: None))
        assert np.array_equal(np.concatenate(chunks), np.concatenate(again))
    finally:
        engine.close()


def test_capitals_say_nothing(checkpoint: Path) -> None:
    tokenizer = T5Tokenizer.from_pretrained(checkpoint / TEXT_ENCODER)
    words = T5EncoderModel.from_pretrained(checkpoint / TEXT_ENCODER).shared
    lower, upper, mixed, other = (
        words(torch.tensor(tokenizer(text).input_ids))
        for text in ("no drums, 120 bpm", "NO DRUMS, 120 BPM", "No Drums, 120 bpm", "no bass, 120 bpm")
    )
    assert torch.equal(lower, upper)
    assert torch.equal(lower, mixed)
    assert not torch.equal(lower, other)


def test_a_piece_is_learnt_up_to_its_outro_and_counted_in() -> None:
    """The model must not learn the ending, since it does not know a request's duration."""
    score = make_piece(3).score
    codes = learnt_codes(score)
    learnt = decode(codes)
    assert np.array_equal(codes, encode(score)[:, : codes.shape[1]])
    assert codes.shape[1] == learnt.steps + score.header.steps
    assert learnt.sections == score.sections[: len(learnt.sections)]
    assert score.sections[len(learnt.sections)] in ENDINGS


def test_batches_have_whole_beginnings_or_say_that_they_have_not(checkpoint: Path) -> None:
    folder = checkpoint.parent
    tokenizer = T5Tokenizer.from_pretrained(folder / "run" / "tokenizer")
    pieces = TrainingPieces(folder / "pieces", tokenizer, Shape(card=CODEBOOK_SIZE))
    rng = np.random.default_rng(0)
    found = {longest: list(pieces.batches(rng, {longest: 1})) for longest in (OPENING, 256)}
    assert all(batch.opens.all() for batch in found[OPENING])
    opens = torch.cat([batch.opens for batch in found[256]])
    assert 0.75 < opens.float().mean() < 0.95
    tempos = torch.cat([batch.sequence[:, 0, 1] for batch in found[256]])
    assert ((tempos[opens] >= TEMPO) & (tempos[opens] < METER)).all()
    assert not ((tempos[~opens] >= TEMPO) & (tempos[~opens] < METER)).all()
    assert sum(len(batch.tokens) for batch in found[OPENING]) == len(pieces) == 400


def test_some_captions_get_an_invented_word(checkpoint: Path) -> None:
    folder = checkpoint.parent
    tokenizer = T5Tokenizer.from_pretrained(folder / "run" / "tokenizer")
    pieces = TrainingPieces(folder / "pieces", tokenizer, Shape(card=CODEBOOK_SIZE))
    strangers = {tuple(word) for word in strange_words(tokenizer, STRANGERS, np.random.default_rng(0)) if len(word) > 4}
    captions = {True: 0, False: 0}
    for batch in pieces.batches(np.random.default_rng(0), {OPENING: 1}):
        for row in batch.tokens.tolist():
            tokens = [token for token in row if token]
            if tokens:
                captions[not strangers.isdisjoint(_parts(tokens))] += 1
    assert 0.2 < captions[True] / (captions[True] + captions[False]) < 0.45


def _parts(tokens: list[int]) -> Iterator[tuple[int, ...]]:
    """All that stand side by side."""
    yield from (tuple(tokens[first:end]) for end in range(len(tokens)) for first in range(end))


def test_a_caption_is_attended_to_as_if_it_were_alone() -> None:
    model = StarterModel(Shape(card=20, dim=32, heads=2, layers=2, text_dim=16)).eval()
    sequence = delayed(torch.randint(0, 20, (2, 8, 10)), 20)
    text, mask = torch.randn(2, 6, 16), torch.ones(2, 6, dtype=torch.bool)
    mask[0, 3:] = False
    together = model(sequence, text, mask)
    torch.testing.assert_close(together[:1], model(sequence[:1], text[:1, :3], mask[:1, :3]), rtol=1e-4, atol=1e-4)


def test_without_a_caption_the_text_changes_nothing() -> None:
    model = StarterModel(Shape(card=20, dim=32, heads=2, layers=2, text_dim=16)).eval()
    sequence, mask = delayed(torch.randint(0, 20, (1, 8, 10)), 20), torch.zeros(1, 6, dtype=torch.bool)
    first, second = (model(sequence, torch.randn(1, 6, 16), mask) for _ in range(2))
    torch.testing.assert_close(first, second)


def test_the_starter_knows_every_word_and_sign() -> None:
    (folder,) = (file.parent for file in STARTER_FOLDER.glob("*/tokenizer.json"))
    tokenizer = load_tokenizer(folder)
    captions = [make_piece(seed, "test").caption for seed in range(200)]
    for text in (*captions, string.printable, "F♯ minor, B♭ major", "antidisestablishmentarianism at 301 bpm"):
        tokens = tokenizer.encode(text)
        assert len(tokens) > 1
        assert UNKNOWN not in tokens, text


def test_a_run_can_start_from_the_shipped_weights() -> None:
    tokenizer = T5Tokenizer.from_pretrained(STARTER_FOLDER / TEXT_ENCODER)
    trainer = Trainer(Shape(CODEBOOK_SIZE, 192, 3, 6, len(Stream)), tokenizer, 1e-3)
    assert start_from(trainer, STARTER_FOLDER, (CONDUCTOR_TEMPERATURE, TEMPERATURE)) == len(tokenizer)
    shipped = torch.load(STARTER_FOLDER / "state_dict.bin", weights_only=True)["best_state"]
    again = language_model_weights(trainer.model, TEMPERATURE, CONDUCTOR_TEMPERATURE)
    for name, weight in shipped.items():
        torch.testing.assert_close(again[name], weight, rtol=2e-3, atol=1e-5)
    words = T5EncoderModel.from_pretrained(STARTER_FOLDER / TEXT_ENCODER).state_dict()
    for name, weight in trainer.encoder.state_dict().items():
        torch.testing.assert_close(weight, words[name].float())


def test_a_checkpoint_declares_the_level_of_its_scores() -> None:
    assert score_level("compression_model: sampler") == 1
    assert score_level("compression_model: sampler\nscore_level: 2") == 2
    with pytest.raises(UnsupportedCodecError, match="update it"):
        score_level(f"score_level: {LEVEL + 1}")


def test_a_piece_that_begins_in_the_middle_has_no_header() -> None:
    codes = torch.randint(0, 9, (2, 2, 60))
    sequence = delayed(codes, 9)
    logits = torch.randn(2, 2, sequence.shape[2], 9)
    emphasis = Emphasis(opening=6.0, header=100.0)
    opens = torch.tensor([True, False])
    found = losses(logits, sequence, 9, emphasis, opens)
    plain, weighted = losses(logits[1:], sequence[1:], 9), losses(logits[:1], sequence[:1], 9, emphasis)
    weight = HEADER * 100 + (OPENING - HEADER) * 6 + 60 - OPENING
    torch.testing.assert_close(found[0], (weighted[0] * weight + plain[0] * 60) / (weight + 60))


def test_the_conductors_first_codes_count_more() -> None:
    codes = torch.zeros(1, 2, 60, dtype=torch.long)
    codes[0, 0, 5] = codes[0, 0, 50] = 3
    sequence = delayed(codes, 9)
    logits = torch.zeros(1, 2, sequence.shape[2], 9)
    logits[..., 0] = 10.0  # sure that nothing happens, and wrong twice

    plain = losses(logits, sequence, 9)
    weighted = losses(logits, sequence, 9, Emphasis(opening=6.0, header=100.0))

    total = HEADER * 100 + (OPENING - HEADER) * 6 + 60 - OPENING
    torch.testing.assert_close(plain[0], torch.tensor(10 * 2 / 60), rtol=1e-2, atol=0)
    torch.testing.assert_close(weighted[0], torch.tensor(10 * 101 / total), rtol=1e-2, atol=0)
    torch.testing.assert_close(plain[1], weighted[1])
