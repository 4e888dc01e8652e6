"""Every target with mutated examples: parts removed, inserted and exchanged."""

import json
from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import files, models, wire
from tests.fuzz.target import Target

TARGETS: dict[str, Target] = wire.TARGETS | files.TARGETS | models.TARGETS

NASTY = [
    b"",
    b"null",
    b"-1",
    b"1e999",
    b"NaN",
    b"9" * 40,
    b"[" * 3000,
    b'"\\ud800"',
    b"\\u0000",
    b"\xff",
    b"\0",
    b"..",
    b"*",
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([10**30, "", "\0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


class Edits(NamedTuple):
    """Some bytes of a seed exchanged for others. hypothesis remembers what is drawn: let it be no seed."""

    seed: int
    changes: list[tuple[int, int, bytes]]

    def of(self, seeds: Sequence[bytes]) -> bytes:
        data = bytearray(seeds[self.seed])
        for start, length, other in self.changes:
            data[start : start + length] = other
        return bytes(data)


@st.composite
def edits(draw: st.DrawFn, seeds: Sequence[bytes]) -> Edits:
    seed = draw(st.integers(0, len(seeds) - 1))
    other = st.sampled_from(NASTY) | st.binary(max_size=8)
    change = st.tuples(st.integers(0, len(seeds[seed])), st.integers(0, 8), other)
    return Edits(seed, draw(st.lists(change, min_size=1, max_size=4)))


def edited(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Small seeds with such edits."""
    return edits(seeds).map(lambda found: found.of(seeds))


@st.composite
def refilled(draw: st.DrawFn, seeds: Sequence[dict[str, object]]) -> bytes:
    """A JSON object with other values in some of its fields, or without them."""
    fields = dict(draw(st.sampled_from(seeds)))
    for name in draw(st.sets(st.sampled_from(sorted(fields)), min_size=1, max_size=4)):
        if draw(st.booleans()):
            fields[name] = draw(JSON)
        else:
            del fields[name]
    return json.dumps(fields, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass")


def inputs_for(target: Target) -> st.SearchStrategy[bytes | Edits]:
    objects = [found for seed in target.seeds if isinstance(found := _json(seed), dict)]
    near = edits(target.seeds)
    return near | st.binary(max_size=200) | (refilled(objects) if objects else near)


def _json(seed: bytes) -> object:
    try:
        return json.loads(seed)
    except ValueError:
        return None


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.timeout(600)
def test_targets_survive_mutated_input(name: str, inputs: int) -> None:
    target = TARGETS[name]
    for seed in target.seeds:
        target.try_one(seed)

    @settings(max_examples=inputs, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(inputs_for(target))
    def try_one(data: bytes | Edits) -> None:
        target.try_one(data.of(target.seeds) if isinstance(data, Edits) else data)

    try_one()
