"""Captions say what their specs say."""

import random
import re
from collections.abc import Iterable, Mapping

import pytest

from gateway.prompts import VOCABULARY
from training.music.captions import KEY_NAMES, Split, key_name, synonyms, wording, write_caption
from training.music.random_spec import draw_spec
from training.music.spec import Spec

_PITCHES = {name.lower(): key for key, names in KEY_NAMES.items() for name in names}
_KEY = re.compile(r"\b([a-g](?:#|b| sharp| flat)?) (maj|min)(?:or)?\b", re.IGNORECASE)
SPLITS: tuple[Split, ...] = ("train", "test")


@pytest.fixture(scope="module", params=SPLITS)
def captions(request: pytest.FixtureRequest) -> list[tuple[Spec, str]]:
    source = random.Random(11)
    specs = [draw_spec(source) for _ in range(4000)]
    return [(spec, write_caption(spec, request.param, source)) for spec in specs]


def test_numbers_occur_only_for_stated_tempos(captions: list[tuple[Spec, str]]) -> None:
    for spec, caption in captions:
        numbers = re.findall(r"(?<![\d/])\d{2,3}(?!\d)", caption)
        assert numbers == ([] if spec.bpm is None else [str(spec.bpm)]), caption


def test_a_key_is_read_back(captions: list[tuple[Spec, str]]) -> None:
    for spec, caption in captions:
        meant = None if spec.key is None else (spec.key, spec.minor)
        assert _read_key(caption) == meant, caption


def test_nearly_all_captions_name_their_genre_mood_and_instruments(captions: list[tuple[Spec, str]]) -> None:
    """All but those with a slip of the pen."""
    words = synonyms()
    for field, names in (("genre", words.genres), ("mood", words.moods)):
        said = [
            any(name in caption.lower() for name in (value, *names[value]))
            for spec, caption in captions
            if (value := getattr(spec, field))
        ]
        assert sum(said) > 0.97 * len(said)
    heard = [
        any(word in caption.lower() for word in (name, "cappella", *words.instruments.get(name, ())))
        for spec, caption in captions
        for name in spec.instruments
    ]
    assert sum(heard) > 0.97 * len(heard)


def test_no_frame_leaves_a_gap(captions: list[tuple[Spec, str]]) -> None:
    for _, caption in captions:
        assert caption == caption.strip()
        assert not re.search(r"[{}]|  |,,|^[,.;–]|[,;–]$| ,|\ban? *$", caption), caption


def test_captions_of_the_test_split_are_worded_differently() -> None:
    train, test = wording("train"), wording("test")
    for field in train.__struct_fields__:
        if field in ("tags", "builder"):
            continue
        shared = _phrases(getattr(train, field)) & _phrases(getattr(test, field))
        # The empty string and plain commas belong to no split.
        assert shared <= {"", ","}, field


def test_no_train_wording_occurs_in_the_test_wordings_it_competes_with() -> None:
    train, test = wording("train"), wording("test")
    for field in ("tempo_phrase", "bpm", "key", "no_drums", "no_bass", "drums", "bass", "open", "flourish", "noun"):
        phrases = {_plain(text) for text in getattr(train, field)}
        assert not [text for text in getattr(test, field) if text and _plain(text) in phrases]


def _phrases(found: Iterable[str] | Mapping[str, Iterable[str]]) -> set[str]:
    texts = [text for row in found.values() for text in row] if isinstance(found, Mapping) else found
    return {_plain(text) for text in texts}


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def test_every_word_of_the_vocabulary_has_only_its_own_synonyms() -> None:
    words = synonyms()
    assert set(words.genres) == {genre.name for genre in VOCABULARY.genres}
    assert set(words.moods) == set(VOCABULARY.moods)
    assert set(words.tempos) == {tempo.name for tempo in VOCABULARY.tempos}
    assert set(words.instruments) <= set(VOCABULARY.instruments)
    for table in (words.genres, words.moods, words.tempos, words.instruments):
        owners = [(synonym, name) for name, names in table.items() for synonym in set(names)]
        assert len({synonym for synonym, _ in owners}) == len(owners)


def test_the_prompt_builder_s_sentences_are_among_the_captions() -> None:
    spec = Spec(genre="jazz", mood="happy", bpm=120, instruments=("piano", "drums"), drums=True)
    source = random.Random(1)
    captions = {write_caption(spec, "train", source).lower() for _ in range(300)}
    assert "jazz music, at 120 bpm, happy mood, featuring piano and drums" in captions


def test_key_names_are_read_as_they_are_written() -> None:
    source = random.Random(2)
    for _ in range(500):
        key, minor = source.randrange(12), source.random() < 0.5
        assert _read_key(f"a song in {key_name(key, minor, source)} please") == (key, minor)


def _read_key(text: str) -> tuple[int, bool] | None:
    """The first key that a text names: its tonic's pitch class, and whether it is minor."""
    match = _KEY.search(text)
    return (_PITCHES[match[1].lower()], match[2].lower() == "min") if match else None
