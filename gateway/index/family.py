"""The children of each job that is on record: jobs that were made of it."""

from shared.messages import JobRecord


class Family:
    """Jobs by their parent. A parent may no longer be on record."""

    def __init__(self) -> None:
        self._children: dict[str, dict[str, None]] = {}

    def add(self, record: JobRecord) -> None:
        """Add a record; without a parent it changes nothing."""
        if record.recipe.edit is not None:
            self._children.setdefault(record.recipe.edit.parent, {})[record.job_id] = None

    def remove(self, record: JobRecord) -> None:
        """Remove a record that is equal to the one that was added."""
        edit = record.recipe.edit
        if edit is not None and (children := self._children.get(edit.parent)) is not None:
            children.pop(record.job_id, None)
            if not children:
                del self._children[edit.parent]

    def children(self, job_id: str) -> tuple[str, ...]:
        """The ids of a job's children."""
        return tuple(self._children.get(job_id, ()))
