import json
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import T5Tokenizer

from tests.unit.worker.engine.text.conftest import SENTENCES
from worker.engine.text.configuration import UnsupportedTextEncoderError
from worker.engine.text.tokenizer import TextTokenizer, load_tokenizer

FOLDERS = ["starter", "bare_sentencepiece", "with_sentinels"]

AWKWARD = [
    "",
    " ",
    "\n\t  \r\n",
    "</s>",
    "<pad><unk></s>",
    "loud </s> quiet",
    "loud</s>quiet <pad>  <extra_id_0>x<extra_id_99> <extra_id_100>",
    "< / s > </s </S> <EXTRA_ID_0>",
    "▁techno ▁▁ ▁",
    "🎵 dance 👩‍👩‍👧‍👦 🇩🇪",
    "zero\u200bwidth\u200djoiner\ufeff\u2060",
    "no\u00a0break\u3000ideographic\u2028line\u0085next\x00nul\x1funit",
    "ｆｕｌｌ ｗｉｄｔｈ ﷺ ﬁ ½ Å Å",
    "e\u0301 é 音楽 موسيقى संगीत",
    "techno\n\n\nhouse\ttrance",
    "a" * 500,
    ("upbeat techno " * 40)[:500],
    "<" * 500,
]
PIECES = st.sampled_from([*AWKWARD[:-3], *SENTENCES, *string.whitespace, "<extra_id_1>", "techno", "▁", "<", "</s"])
TEXTS = st.one_of(st.text(max_size=500), st.lists(PIECES, max_size=8).map("".join))


@pytest.fixture(scope="module")
def pairs(request: pytest.FixtureRequest) -> dict[str, tuple[TextTokenizer, Any]]:
    folders = {name: request.getfixturevalue(name) for name in FOLDERS}
    return {name: (load_tokenizer(folder), T5Tokenizer.from_pretrained(folder)) for name, folder in folders.items()}


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize("text", [*AWKWARD, *SENTENCES])
def test_awkward_texts_equal_transformers(name: str, text: str, pairs: dict[str, tuple[TextTokenizer, Any]]) -> None:
    ours, theirs = pairs[name]
    assert ours.encode(text) == theirs([text], padding=True)["input_ids"][0]


@pytest.mark.parametrize("name", FOLDERS)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS)
def test_any_text_equals_transformers(name: str, text: str, pairs: dict[str, tuple[TextTokenizer, Any]]) -> None:
    ours, theirs = pairs[name]
    assert ours.encode(text) == theirs([text], padding=True)["input_ids"][0]


def _added(content: str, **flags: bool) -> dict[str, Any]:
    usual = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"content": content, **usual, **flags}


STRIPPING = {
    "0": _added("<pad>"),
    "1": _added("</s>", single_word=True),
    "2": _added("<unk>"),
    # As written by transformers 4's T5Tokenizer.
    **{str(179 - number): _added(f"<extra_id_{number}>", lstrip=True, rstrip=True) for number in range(100)},
}
SENTINELS = [f"<extra_id_{number}>" for number in range(100)]


@pytest.mark.parametrize(
    ("configuration", "legacy"),
    [
        (None, None),
        ({}, None),
        ({"additional_special_tokens": SENTINELS, "extra_ids": 100, "model_max_length": 512, "bos_token": None}, None),
        ({"extra_ids": 100, "additional_special_tokens": SENTINELS}, {"additional_special_tokens": SENTINELS}),
        ({"added_tokens_decoder": STRIPPING, "additional_special_tokens": SENTINELS}, {"eos_token": "<unk>"}),
        ({"extra_special_tokens": ["techno", "<new>"], "mask_token": "<mask>"}, None),
        ({"additional_special_tokens": ["house"], "extra_special_tokens": ["techno"]}, None),
        ({"extra_ids": 120}, None),
        ({"eos_token": {"__type": "AddedToken", **_added("</s>", lstrip=True)}, "pad_token": "<filler>"}, None),
        (None, {"eos_token": _added("▁a", rstrip=True), "cls_token": "<cls>", "sep_token": "<sep>"}),
        (None, {"additional_special_tokens": ["music"], "unk_token": "<what>"}),
        (None, {"additional_special_tokens": [*SENTINELS, "house"]}),
    ],
)
@pytest.mark.parametrize("source", ["bare_sentencepiece", "with_sentinels"])
def test_configured_special_tokens_equal_transformers(
    source: str,
    configuration: dict[str, Any] | None,
    legacy: dict[str, Any] | None,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    for file in ("spiece.model", "tokenizer.json"):
        if (given := request.getfixturevalue(source) / file).exists():
            (tmp_path / file).write_bytes(given.read_bytes())
    for file, content in {"tokenizer_config.json": configuration, "special_tokens_map.json": legacy}.items():
        if content is not None:
            (tmp_path / file).write_text(json.dumps(content))
    ours, theirs = load_tokenizer(tmp_path), T5Tokenizer.from_pretrained(tmp_path)
    extra = ["a <new> techno <mask>house <filler>", "x <extra_id_5> y </s> z<cls><sep>", "<extra_id_110>", "a music"]
    for text in [*AWKWARD, *SENTENCES, *extra]:
        assert ours.encode(text) == theirs([text], padding=True)["input_ids"][0], text


def test_truncation_and_padding_in_the_file_are_ignored(with_sentinels: Path, tmp_path: Path) -> None:
    content = json.loads((with_sentinels / "tokenizer.json").read_text())
    content["truncation"] = {"max_length": 3, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    content["pre_tokenizer"] = {"type": "Whitespace"}
    content["model"]["unk_id"] = 3
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    text = "an upbeat-techno 音 track"
    theirs = T5Tokenizer.from_pretrained(tmp_path)
    assert load_tokenizer(tmp_path).encode(text) == theirs([text], padding=True)["input_ids"][0]


def test_half_a_surrogate_pair_is_rejected(starter: Path) -> None:
    with pytest.raises(ValueError, match="surrogate"):
        load_tokenizer(starter).encode("music \ud83c")


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("tokenizer.json", {"model": {"type": "BPE", "vocab": {}}}, "BPE"),
        ("tokenizer.json", {"model": {"type": "Unigram", "vocab": [["a", 0.0]]}}, "1 pieces"),
        ("tokenizer.json", {"model": {"type": "Unigram", "vocab": [[str(n), 0.0] for n in range(100_001)]}}, "100001"),
        ("tokenizer.json", {"model": None}, "known form"),
        ("tokenizer.json", [], "known form"),
        ("tokenizer_config.json", {"split_special_tokens": True}, "split_special_tokens"),
        ("tokenizer_config.json", {"image_token": "<image>"}, "image_token"),
        ("tokenizer_config.json", {"extra_special_tokens": {"image_token": "<image>"}}, "not a list"),
        ("tokenizer_config.json", {"eos_token": None}, "tokenizer has"),
        ("tokenizer_config.json", {"eos_token": 7}, "unknown form"),
        ("tokenizer_config.json", [1], "no JSON object"),
        ("special_tokens_map.json", {"extra_special_tokens": ["a"]}, "not a list"),
        ("added_tokens.json", {"<new>": 500}, "added_tokens.json"),
    ],
)
def test_unsupported_tokenizer_is_rejected(file: str, content: Any, reason: str, starter: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((starter / "tokenizer.json").read_bytes())
    (tmp_path / file).write_text(json.dumps(content))
    with pytest.raises(UnsupportedTextEncoderError, match=reason):
        load_tokenizer(tmp_path)


def test_folder_without_a_tokenizer_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedTextEncoderError, match="neither"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xff\xff",
        b"",
        bytes([0x0A, 5, 0x0A, 1, 97, 0x18, 4]),  # a piece "a" of the user defined type
        bytes([0x0A, 3, 0x0A, 1, 97, 0x12, 2, 0x18, 2]),  # trainer_spec.model_type BPE
    ],
)
def test_invalid_sentencepiece_model_is_rejected(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "spiece.model").write_bytes(content)
    with pytest.raises(UnsupportedTextEncoderError, match=r"not a sentencepiece|no unigram|user-defined"):
        load_tokenizer(tmp_path)


def test_broken_json_is_rejected(starter: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((starter / "tokenizer.json").read_bytes())
    (tmp_path / "tokenizer_config.json").write_text("{")
    with pytest.raises(UnsupportedTextEncoderError, match="not JSON"):
        load_tokenizer(tmp_path)
