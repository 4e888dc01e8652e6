"""API keys from the environment and from a file."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.api_keys import MAX_KEY_LENGTH, MIN_KEY_LENGTH, ApiKeys, load_keys, read_pairs
from shared.errors import SettingsError
from shared.settings import load_settings

FIRST, SECOND = "k" * MIN_KEY_LENGTH, "A.b_c~d-" * 8


def keys(text: str = "", file: Path | None = None) -> ApiKeys:
    return load_keys(load_settings({"API_KEYS": text, "API_KEYS_FILE": str(file or "")}))


def test_without_keys_there_is_no_owner() -> None:
    assert not keys()
    assert keys().name_of("") is None


def test_each_key_maps_to_its_name() -> None:
    found = keys(f" daw:{FIRST}, web:{SECOND},")
    assert found
    assert [found.name_of(key) for key in (FIRST, SECOND, FIRST[1:], FIRST + "k", "")] == [
        "daw",
        "web",
        None,
        None,
        None,
    ]


def test_a_name_may_have_two_keys_for_rotation() -> None:
    found = keys(f"daw:{FIRST},daw:{SECOND}")
    assert [found.name_of(key) for key in (FIRST, SECOND)] == ["daw", "daw"]


def test_keys_of_variable_and_file_are_combined(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# of the studio\nweb:{SECOND}  # the page\n\n")
    found = keys(f"daw:{FIRST}", file)
    assert [found.name_of(key) for key in (FIRST, SECOND)] == ["daw", "web"]


def test_keys_are_not_kept_in_memory() -> None:
    assert FIRST not in repr(vars(keys(f"daw:{FIRST}")))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (FIRST, "NAME:KEY"),
        (f"my daw:{FIRST}", "NAME:KEY"),
        (f"{'n' * 33}:{FIRST}", "NAME:KEY"),
        (f":{FIRST}", "NAME:KEY"),
        (f"daw:{FIRST[1:]}", "the key of daw needs 16"),
        (f"daw:{'k' * (MAX_KEY_LENGTH + 1)}", "the key of daw needs 16 to 256"),
        (f"daw:{FIRST}/+=", "the key of daw"),
        (f"daw:{FIRST},web:{FIRST}", "daw and web have the same key"),
    ],
)
def test_an_invalid_pair_is_refused_without_showing_the_key(text: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        keys(text)
    assert str(caught.value).startswith("API_KEYS")
    assert words in str(caught.value)
    assert FIRST[1:] not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"# none\n", b"\xff\xfe", b"daw:short"])
def test_an_invalid_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "keys").write_bytes(content)
    with pytest.raises(SettingsError, match="API_KEYS_FILE"):
        keys(file=tmp_path / "keys")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        keys(file=tmp_path / "keys")


@given(st.text(max_size=80))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    refused, pairs = "", list[tuple[str, str]]()
    try:
        pairs = read_pairs(load_settings({"API_KEYS": text}))
    except SettingsError as error:
        refused = str(error)
    assert not refused or refused.startswith("API_KEYS")
    assert all(name and len(key) >= MIN_KEY_LENGTH for name, key in pairs)


@given(st.text(max_size=40))
def test_any_text_can_be_looked_up_as_a_key(key: str) -> None:
    assert keys(f"daw:{FIRST}").name_of(key) in (None, "daw")
