"""Job ids."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.job_id import JOB_ID_PATTERN, is_job_id, job_id_for, new_job_id

keys = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255)


def test_new_ids_are_job_ids_and_differ() -> None:
    ids = {new_job_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(map(is_job_id, ids))


def test_the_documented_example_is_a_job_id() -> None:
    assert is_job_id("gen_abc123456789")


@given(keys)
def test_a_key_always_gives_the_same_job_id(key: str) -> None:
    assert job_id_for(key) == job_id_for(key)
    assert is_job_id(job_id_for(key))


def test_the_job_id_of_a_key_never_changes() -> None:
    # A request may be repeated across an upgrade: this value must never change.
    assert job_id_for("0b9c6d1e-4f5a-4a53-8e55-7f2f1b0c9a11") == "gen_d30dmi1cb16f"


def test_similar_keys_give_different_job_ids() -> None:
    similar = [f"{prefix}{number}{suffix}" for prefix in ("", "k") for number in range(2000) for suffix in ("", "0x")]
    assert len({job_id_for(key) for key in similar}) == len(set(similar))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gen_",
        "gen_abc12345678",
        "gen_abc1234567890",
        "gen_ABC123456789",
        "abc123456789",
        " gen_abc123456789",
        "gen_abc123456789\n",
        "gen_abc12345678*",
        "gen_abc12345678>",
        "gen_abc.23456789",
        "gen_../../../etc",
        "gen_٣" * 3,
    ],
)
def test_malformed_job_ids_are_rejected(text: str) -> None:
    assert not is_job_id(text)


@given(st.text(max_size=20))
def test_job_ids_are_safe_in_subjects_keys_paths_and_urls(text: str) -> None:
    assert is_job_id(text) == bool(re.fullmatch(r"gen_[a-z0-9]{12}", text))
    assert JOB_ID_PATTERN == "^gen_[a-z0-9]{12}$"
