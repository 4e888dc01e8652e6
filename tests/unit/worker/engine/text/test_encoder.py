import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from audiocraft.modules.conditioners import T5Conditioner

from tests.unit.worker.engine.text.conftest import SENTENCES, write_t5
from worker.engine.text.configuration import UnsupportedTextEncoderError
from worker.engine.text.encoder import EmbeddingCache, TextEncoder, load_text_encoder
from worker.engine.text.t5 import T5Encoder
from worker.engine.text.weights import CHECKPOINT_PREFIX

DIM = 48


@pytest.fixture(scope="module")
def folder(with_sentinels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete text encoder."""
    folder = tmp_path_factory.mktemp("encoder")
    for file in with_sentinels.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    write_t5(folder, vocab_size=190)
    return folder


@pytest.fixture
def reference(folder: Path) -> Iterator[Any]:
    """audiocraft's text conditioner."""
    T5Conditioner.MODELS.append(str(folder))
    T5Conditioner.MODELS_DIMS[str(folder)] = 24
    torch.manual_seed(5)
    yield T5Conditioner(str(folder), DIM, finetune=False, device="cpu")
    T5Conditioner.MODELS.remove(str(folder))
    del T5Conditioner.MODELS_DIMS[str(folder)]


@pytest.fixture
def encoder(folder: Path) -> TextEncoder:
    torch.manual_seed(6)
    return load_text_encoder(str(folder), torch.randn(DIM, 24), torch.randn(DIM), "cpu")


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of all sequences passed to T5."""
    seen: list[int] = []
    original = T5Encoder.__call__

    def counting(self: T5Encoder, tokens: torch.Tensor) -> torch.Tensor:
        seen.append(len(tokens))
        return original(self, tokens)

    monkeypatch.setattr(T5Encoder, "__call__", counting)
    return seen


@pytest.mark.parametrize("text", ["", " ", *SENTENCES, "loud </s> quiet <pad>", "🎵", "techno " * 60, "\n"])
def test_equals_audiocraft(text: str, folder: Path, reference: Any) -> None:
    ours = load_text_encoder(str(folder), reference.output_proj.weight, reference.output_proj.bias, "cpu")
    with torch.no_grad():
        expected, _ = reference(reference.tokenize([text]))
    result = ours.encode(text)
    assert result.dtype == torch.float32
    assert result.shape == expected[0].shape
    assert not result.requires_grad
    assert float((result - expected[0]).abs().max()) < 1e-5


def test_equals_audiocraft_in_a_batch_with_the_null_condition(folder: Path, reference: Any) -> None:
    """As in `MusicGen.generate`, both are padded to the same length."""
    ours = load_text_encoder(str(folder), reference.output_proj.weight, reference.output_proj.bias, "cpu")
    with torch.no_grad():
        (prompt, null), mask = reference(reference.tokenize([SENTENCES[0], None]))
    tokens = int(mask[0].sum())
    assert float((ours.encode(SENTENCES[0]) - prompt[:tokens]).abs().max()) < 1e-5
    assert not null.any()
    assert torch.equal(ours.encode(""), torch.zeros(1, DIM))


def test_fine_tuned_t5_comes_from_the_checkpoint(folder: Path, tmp_path: Path, encoder: TextEncoder) -> None:
    model = write_t5(tmp_path, vocab_size=190)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    state = {CHECKPOINT_PREFIX + name: tensor for name, tensor in model.state_dict().items()}
    torch.manual_seed(6)
    tuned = load_text_encoder(str(tmp_path), torch.randn(DIM, 24), torch.randn(DIM), "cpu", state)
    assert torch.equal(tuned.encode("music"), encoder.encode("music"))


def test_text_is_computed_once(encoder: TextEncoder, passes: list[int]) -> None:
    first = encoder.encode("music")
    assert encoder.encode("music") is first
    encoder.encode("other music")
    assert len(passes) == 2
    assert (encoder.dim, encoder.device.type) == (DIM, "cpu")


def _without_cache(encoder: TextEncoder) -> TextEncoder:
    """The same encoder with an empty cache."""
    return TextEncoder(encoder._tokenizer, encoder._t5, encoder._weight, encoder._bias)


def test_concurrent_threads_get_the_same_vectors(encoder: TextEncoder, passes: list[int]) -> None:
    texts = [f"{text} {number}" for text in SENTENCES for number in range(4)]
    barrier = threading.Barrier(8)

    def all_of_them(offset: int) -> list[torch.Tensor]:
        barrier.wait()
        return [encoder.encode(text) for text in texts[offset:] + texts[:offset]]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(all_of_them, range(8)))
    assert len(passes) == len(texts)
    for offset, result in enumerate(results):
        for text, embedding in zip(texts[offset:] + texts[:offset], result, strict=True):
            assert embedding is encoder.encode(text)
    alone = _without_cache(encoder)
    for text in texts:
        torch.testing.assert_close(alone.encode(text), encoder.encode(text), rtol=0, atol=1e-6)


def test_too_many_tokens_are_rejected_with_the_limit(encoder: TextEncoder) -> None:
    assert len(encoder.encode("a " * 511)) == 512
    with pytest.raises(ValueError, match=r"513 tokens.*takes 512: shorten it"):
        encoder.encode("a " * 512)


def test_token_without_a_vector_is_rejected(with_sentinels: Path, tmp_path: Path) -> None:
    for file in with_sentinels.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    write_t5(tmp_path, vocab_size=100)
    encoder = load_text_encoder(str(tmp_path), torch.randn(DIM, 24), torch.randn(DIM), "cpu")
    with pytest.raises(ValueError, match="no vector"):
        encoder.encode("music <extra_id_0>")


@pytest.mark.parametrize(("weight", "bias"), [((DIM, 25), DIM), ((DIM,), DIM), ((DIM, 24), DIM + 1)])
def test_projection_that_does_not_fit_is_rejected(weight: tuple[int, ...], bias: int, folder: Path) -> None:
    with pytest.raises(UnsupportedTextEncoderError, match="output_proj"):
        load_text_encoder(str(folder), torch.zeros(weight), torch.zeros(bias), "cpu")


class Hub:
    """A fake hub with one repository; records the requested patterns."""

    def __init__(self, repository: Path, cache: Path) -> None:
        self.repository = repository
        self.cache = cache
        self.requests: list[list[str]] = []

    def snapshot_download(self, name: str, *, allow_patterns: list[str]) -> str:
        assert name == "t5-tiny"
        self.requests.append(allow_patterns)
        for file in self.repository.iterdir():
            if file.name in allow_patterns:
                (self.cache / file.name).write_bytes(file.read_bytes())
        return str(self.cache)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    (tmp_path / "repository").mkdir()
    (tmp_path / "cache").mkdir()
    hub = Hub(tmp_path / "repository", tmp_path / "cache")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", hub.snapshot_download)
    return hub


def test_hub_download_fetches_only_the_preferred_files(hub: Hub, folder: Path, encoder: TextEncoder) -> None:
    for file in folder.iterdir():
        (hub.repository / file.name).write_bytes(file.read_bytes())
    for unwanted in ("pytorch_model.bin", "tf_model.h5", "spiece.model", "README.md"):
        (hub.repository / unwanted).write_bytes(b"much")
    torch.manual_seed(6)
    fetched = load_text_encoder("t5-tiny", torch.randn(DIM, 24), torch.randn(DIM), "cpu")
    assert torch.equal(fetched.encode("music"), encoder.encode("music"))
    assert {file.name for file in hub.cache.iterdir()} == {file.name for file in folder.iterdir()}
    assert len(hub.requests) == 1


def test_hub_download_falls_back_to_older_files(hub: Hub, bare_sentencepiece: Path) -> None:
    (hub.repository / "spiece.model").write_bytes((bare_sentencepiece / "spiece.model").read_bytes())
    model = write_t5(hub.repository, vocab_size=190)
    (hub.repository / "model.safetensors").unlink()
    torch.save(model.state_dict(), hub.repository / "pytorch_model.bin")
    fetched = load_text_encoder("t5-tiny", torch.randn(DIM, 24), torch.randn(DIM), "cpu")
    assert fetched.encode("music").shape[1] == DIM
    assert {file.name for file in hub.cache.iterdir()} == {"config.json", "spiece.model", "pytorch_model.bin"}


def test_hub_download_skips_the_weights_of_a_fine_tuned_t5(hub: Hub, folder: Path) -> None:
    for file in folder.iterdir():
        (hub.repository / file.name).write_bytes(file.read_bytes())
    state = write_t5(hub.repository, vocab_size=190).state_dict()
    load_text_encoder("t5-tiny", torch.randn(DIM, 24), torch.randn(DIM), "cpu", state)
    assert "model.safetensors" not in {file.name for file in hub.cache.iterdir()}


def test_cache_evicts_the_least_recently_used() -> None:
    cache = EmbeddingCache(max_entries=2)
    for text in ("a", "b"):
        cache.put(text, torch.zeros(3, 1))
    cache.get("a")
    cache.put("c", torch.zeros(3, 1))
    assert cache.get("b") is None
    assert cache.get("a") is not None
    assert len(cache) == 2


def test_cache_is_bounded_in_tokens() -> None:
    cache = EmbeddingCache(max_tokens=10)
    for text, tokens in (("a", 4), ("b", 4), ("b", 2), ("c", 4), ("d", 4)):
        cache.put(text, torch.zeros(tokens, 1))
    assert [text for text in "abcd" if cache.get(text) is not None] == ["b", "c", "d"]
    cache.put("whole", torch.zeros(11, 1))
    assert len(cache) == 0


def test_import_avoids_transformers_and_audiocraft() -> None:
    code = (
        "import sys, time, torch; start = time.perf_counter(); import worker.engine.text.encoder;"
        "print(f'{time.perf_counter() - start:.2f} s beyond torch');"
        "print([name for name in ('transformers', 'audiocraft', 'huggingface_hub', 'sentencepiece', 'google.protobuf')"
        " if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, unwanted = result.stdout.splitlines()
    print(seconds)
    assert unwanted == "[]"
