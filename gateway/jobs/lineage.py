"""The family of a take: its ancestors, and all that comes from the oldest one that is on record."""

from gateway.index.job_index import JobIndex
from gateway.jobs.edit_requests import Lineage, Relation, Relative
from shared.messages import JobRecord, Recipe

# Jobs in an answer, the oldest first.
MOST_RELATIVES = 1000


def lineage_of(record: JobRecord, index: JobIndex, viewer: str | None) -> Lineage:
    """The family of a job, as far as `viewer` may see it."""
    found = [_relative(_oldest(record, index, viewer))]
    if found[0].parent is not None:  # no longer on record
        found.insert(0, Relative(job_id=found[0].parent))
    listed = iter(found)
    for relative in listed:  # grows meanwhile
        if len(found) >= MOST_RELATIVES:
            break
        known = {each.job_id for each in found}
        found += [_relative(child) for child in _children(relative.job_id, index, viewer) if child.job_id not in known]
    return Lineage(job_id=record.job_id, jobs=found[:MOST_RELATIVES])


def _oldest(record: JobRecord, index: JobIndex, viewer: str | None) -> JobRecord:
    seen = {record.job_id}
    while record.recipe.parent is not None:
        parent = index.record(record.recipe.parent)
        if parent is None or not parent.is_visible_to(viewer) or parent.job_id in seen:
            break
        seen.add(parent.job_id)
        record = parent
    return record


def _children(job_id: str, index: JobIndex, viewer: str | None) -> list[JobRecord]:
    return [record for record in index.children(job_id) if record.is_visible_to(viewer)]


def _kind(recipe: Recipe) -> Relation | None:
    if recipe.edit is None:
        return recipe.score.action if recipe.score and recipe.score.parent else None
    return recipe.edit.kind


def _relative(record: JobRecord) -> Relative:
    edit = record.recipe.edit
    return Relative(
        job_id=record.job_id,
        parent=record.recipe.parent,
        kind=_kind(record.recipe),
        status=record.status,
        created_at=record.created_at,
        seed=record.recipe.seed if record.seed is None else record.seed,
        from_bar=edit.from_bar if edit else None,
        to_bar=edit.to_bar if edit else None,
        from_seconds=edit.from_seconds if edit else None,
        to_seconds=edit.to_seconds if edit else None,
    )
