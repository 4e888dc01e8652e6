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


def test_without_keys_nobody_owns_anything() -> None:
    assert not keys()
    assert keys().owner_of("") is None


def test_each_key_has_its_name() -> None:
    found = keys(f" daw:{FIRST}, web:{SECOND},")
    assert found
    assert [found.owner_of(key) for key in (FIRST, SECOND, FIRST[1:], FIRST + "k", "")] == [
        "daw",
        "web",
        None,
        None,
        None,
    ]


def test_a_name_may_have_two_keys_so_that_one_can_be_changed() -> None:
    found = keys(f"daw:{FIRST},daw:{SECOND}")
    assert [found.owner_of(key) for key in (FIRST, SECOND)] == ["daw", "daw"]


def test_a_file_adds_to_the_variable(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# of the studio\nweb:{SECOND}  # the page\n\n")
    found = keys(f"daw:{FIRST}", file)
    assert [found.owner_of(key) for key in (FIRST, SECOND)] == ["daw", "web"]


def test_the_keys_themselves_are_not_kept() -> None:
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
def test_a_wrong_pair_stops_the_start_and_is_not_shown(text: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        keys(text)
    assert str(caught.value).startswith("API_KEYS")
    assert words in str(caught.value)
    assert FIRST[1:] not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"# none\n", b"\xff\xfe", b"daw:short"])
def test_a_wrong_file_stops_the_start_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "keys").write_bytes(content)
    with pytest.raises(SettingsError, match="API_KEYS_FILE"):
        keys(file=tmp_path / "keys")


def test_a_file_that_is_missing_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        keys(file=tmp_path / "keys")


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    refused, pairs = "", list[tuple[str, str]]()
    try:
        pairs = read_pairs(load_settings({"API_KEYS": text}))
    except SettingsError as error:
        refused = str(error)
    assert not refused or refused.startswith("API_KEYS")
    assert all(name and len(key) >= MIN_KEY_LENGTH for name, key in pairs)


@given(st.text(max_size=40))
def test_any_presented_key_is_looked_up(key: str) -> None:
    assert keys(f"daw:{FIRST}").owner_of(key) in (None, "daw")
