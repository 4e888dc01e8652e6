"""From pieces to a checkpoint that the decode engine plays, in miniature."""

import string
from pathlib import Path

import numpy as np
import pytest
import torch

from shared.messages import Recipe
from training.alphabet import CARD, Alphabet
from training.model import Emphasis, Shape, StarterModel, delayed, losses
from training.music import make_piece
from training.text import UNKNOWN
from worker.engine.batching.engine import load
from worker.engine.batching.text.tokenizer import load_tokenizer
from worker.engine.interface import EngineSettings
from worker.engine.models import STARTER_FOLDER
from worker.engine.sampler.codes import encode

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")

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


def test_an_alphabet_numbers_what_occurs_and_says_nothing_for_the_rest() -> None:
    codes = [encode(make_piece(seed).score) for seed in range(30)]
    alphabet = Alphabet.of(codes)
    numbers = alphabet.number(codes[0])
    for stream, row in enumerate(numbers):
        back = np.array(alphabet.streams[stream])[row]
        assert ((back == codes[0][stream]) | (back == 0)).all()
    assert alphabet.card <= CARD
    assert Alphabet.of(codes, card=9).card == 9


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


def test_the_first_events_of_each_stream_count_more() -> None:
    codes = torch.zeros(1, 2, 60, dtype=torch.long)
    codes[0, 0, 40] = codes[0, 0, 50] = 3
    sequence = delayed(codes, 9)
    logits = torch.zeros(1, 2, sequence.shape[2], 9)
    logits[..., 0] = 10.0  # sure that nothing happens, and wrong twice

    plain = losses(logits, sequence, 9)
    weighted = losses(logits, sequence, 9, Emphasis(opening=6.0, header=100.0, firsts=7.0))

    torch.testing.assert_close(plain[0], torch.tensor(10 * 2 / 60), rtol=1e-2, atol=0)
    torch.testing.assert_close(weighted[0], torch.tensor(10 * 200 / (200 + 24 * 6 + 34)), rtol=1e-2, atol=0)
    torch.testing.assert_close(plain[1], weighted[1])
