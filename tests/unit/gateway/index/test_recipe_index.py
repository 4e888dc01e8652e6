"""Jobs by recipe against a plain recomputation."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.index.estimator import Estimator
from gateway.index.job_index import JobIndex
from gateway.index.recipe_key import recipe_key
from shared.messages import JobRecord, JobStatus, Recipe
from tests.unit.gateway.samples import NOON, completed, entry, job_id, record

NUMBERS = st.integers(0, 5)
# A job's status, and whether it is a follower, was answered from the cache, or has expired.
STATES = st.tuples(st.sampled_from(JobStatus), st.sampled_from(["", "is_follower", "source", "expired_at"]))
# Few values per field, so that equal ones are frequent: 10 equals 10.0, and 0.0 equals -0.0.
NUMERALS = st.sampled_from([10, 10.0, 0.0, -0.0, 0.5])
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "model": st.sampled_from(["starter", "small"]),
    "prompt": st.sampled_from(["a tone", "a beat"]),
    "duration": NUMERALS,
    "temperature": NUMERALS,
    "top_k": st.sampled_from([0, 250, 10**30]),  # only JSON can encode the last
    "top_p": NUMERALS,
    "cfg_coef": NUMERALS,
    "seed": st.sampled_from([0, 1]),
    "sample_format": st.sampled_from(["int16", "float32"]),
    "outputs": st.sampled_from([(), ("midi",), ("midi", "stems")]),
    "bars": st.sampled_from([None, 8]),
    "bpm": st.sampled_from([None, 124, 124.0, 124.5]),
    "loudness": st.sampled_from([None, -14, -14.0]),
    "title": st.sampled_from([None, "Night"]),
}
RECIPES = st.builds(Recipe, **FIELDS)
CHANGES = st.sampled_from(sorted(FIELDS)).flatmap(lambda name: st.tuples(st.just(name), FIELDS[name]))
STEPS = st.lists(st.tuples(NUMBERS, STATES | st.none()), max_size=30)


def made(number: int, status: JobStatus, extra: str) -> JobRecord:
    """Six jobs of three recipes, two of which differ only in their seed."""
    values: dict[str, Any] = {"is_follower": True, "source": job_id(9), "expired_at": NOON}
    recipe = replace(record().recipe, seed=number % 2, prompt="a tone" if number < 4 else "a beat")
    audio = completed(number).audio if status is JobStatus.COMPLETED else None
    fields = {extra: values[extra]} if extra else {}
    return record(number, status=status, audio=audio, recipe=recipe, **fields)


@given(STEPS)
def test_any_history_gives_the_same_answers_as_a_list(steps: list[tuple[int, tuple[JobStatus, str] | None]]) -> None:
    index, model = JobIndex(Estimator()), dict[str, tuple[int, JobRecord]]()
    for revision, (number, state) in enumerate(steps, 1):
        model.pop(job_id(number), None)
        if state is None:
            index.discard(job_id(number))
            continue
        of = made(number, *state)
        index.apply(entry(of, revision))
        model[job_id(number)] = (revision, of)

    in_order = [of for _, of in sorted(model.values(), key=lambda each: each[0])]
    for wanted in (made(number, JobStatus.QUEUED, "") for number in range(6)):
        key, piece = recipe_key(wanted), recipe_key(wanted, any_seed=True)
        equal = [of for of in in_order if recipe_key(of) == key]
        takes = [of for of in in_order if of.status is JobStatus.COMPLETED and not (of.source or of.expired_at)]
        waits = [of.job_id for of in equal if of.status is JobStatus.QUEUED and of.is_follower]
        making = [of.job_id for of in equal if not of.status.is_terminal and of.job_id not in waits]
        assert list(index.shareable(key)) == [of.job_id for of in reversed(takes) if recipe_key(of) == key]
        assert list(index.shareable_any_seed(piece)) == [
            of.job_id for of in reversed(takes) if recipe_key(of, any_seed=True) == piece
        ]
        assert index.by_recipe.followers(key) == waits
        assert index.by_recipe.active(key) == (making[0] if making else None)
        assert (key in index.by_recipe.followed_recipes()) == bool(waits)


def test_keys_differ_with_every_field_of_the_recipe() -> None:
    one = record()
    for change in ({"seed": 1}, {"model": "small"}, {"prompt": "a Tone"}, {"duration": 10.5}, {"outputs": ("midi",)}):
        other = record(2, recipe=replace(one.recipe, **change))
        assert recipe_key(other) != recipe_key(one)
        assert (recipe_key(other, any_seed=True) == recipe_key(one, any_seed=True)) == ("seed" in change)
    assert recipe_key(record(2)) == recipe_key(one)


@given(RECIPES, CHANGES)
def test_keys_are_equal_exactly_when_recipes_are(one: Recipe, change: tuple[str, Any]) -> None:
    name, value = change
    other = replace(one, **{name: value})
    first, second = record(1, recipe=one), record(2, recipe=other)
    assert (recipe_key(first) == recipe_key(second)) == (one == other)
    assert (recipe_key(first, any_seed=True) == recipe_key(second, any_seed=True)) == (
        one == replace(other, seed=one.seed)
    )


def test_keys_differ_between_owners() -> None:
    jobs = [record(owner=owner) for owner in (None, "daw", "web")]
    assert len({recipe_key(job) for job in jobs}) == len({recipe_key(job, any_seed=True) for job in jobs}) == 3


async def test_a_changed_leader_is_reported_only_if_it_has_followers() -> None:
    index = JobIndex(Estimator())
    index.apply(entry(record(1), 1))
    assert not index.by_recipe.changed
    index.apply(entry(record(2, is_follower=True), 2))
    assert await index.by_recipe.wait_changed() == {recipe_key(record(2))}
    index.apply(entry(record(1, status=JobStatus.PROCESSING), 3))
    assert await index.by_recipe.wait_changed() == {recipe_key(record(1))}


def test_a_follower_is_not_ahead_of_queued_jobs() -> None:
    index = JobIndex(Estimator())
    index.apply(entry(record(1, age=2, is_follower=True), 1))
    later = record(2, age=1)
    index.apply(entry(later, 2))
    assert index.queue_place(later).jobs == 0
    assert index.queue_place(record(3, age=0)).jobs == 1
