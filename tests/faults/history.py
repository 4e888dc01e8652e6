"""The operations of a test in order: requests, responses and faults."""

import json
import time
from pathlib import Path
from typing import Any

TERMINAL = frozenset({"completed", "failed", "cancelled"})


class History:
    """Kept in memory for the checker, and as lines of JSON to debug a failure.

    Attributes:
        accepted: jobs whose request got a 200.
        cancelled: jobs whose plain DELETE got a 200.
        seen: the terminal status that a gateway returned, by job.
        contradictions: responses that contradict earlier ones.
        planted: jobs that were put into the bucket beforehand, and are not checked.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._began = time.monotonic()
        self._by_key: dict[str, str] = {}
        self.accepted: set[str] = set()
        self.cancelled: set[str] = set()
        self.seen: dict[str, str] = {}
        self.contradictions: list[str] = []
        self.planted: frozenset[str] = frozenset()

    def note(self, what: str, **details: Any) -> None:
        """Append an entry."""
        line = {"at": round(time.monotonic() - self._began, 3), "what": what, **details}
        with self._file.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def note_accepted(self, job_id: str, key: str | None) -> None:
        self.note("accepted", job_id=job_id, key=key)
        self.accepted.add(job_id)
        if key and self._by_key.setdefault(key, job_id) != job_id:
            self.contradictions.append(f"the key {key} gave {self._by_key[key]} and {job_id}")

    def note_status(self, job_id: str, status: str) -> None:
        before = self.seen.get(job_id)
        if status in TERMINAL and before is None:
            self.note("ended", job_id=job_id, status=status)
            self.seen[job_id] = status
        elif before is not None and status != before:
            self.contradictions.append(f"{job_id} was {before} and then {status}")
