"""Lanes of the queue: priorities, and within each the shares that API keys are spread over.

A lane is the last token of a job's subject, such as `normal` or `normal-3`. Each lane of a model has its own consumer,
and workers take jobs from the lanes in turns (worker/lanes.py). So the many jobs of one key do not delay the few of
another.
"""

from typing import Literal, get_args

Priority = Literal["interactive", "normal", "batch"]
# The most urgent first.
PRIORITIES: tuple[Priority, ...] = get_args(Priority)
NORMAL: Priority = "normal"
# Keys have a lane each up to this number; of more keys, some share one.
SHARES = 16
# A lane that waits is served at the latest after this many jobs of more urgent ones.
PATIENCE = 8


def lane_name(priority: Priority, share: int | None = None) -> str:
    """The lane of jobs with this priority; `share` is None for jobs without an API key."""
    return priority if share is None else f"{priority}-{share}"


def priority_of(lane: str) -> Priority:
    """The priority of a lane; `batch` for one that this version does not know."""
    name = lane.partition("-")[0]
    return next((priority for priority in PRIORITIES if priority == name), "batch")


def urgency(lane: str) -> int:
    """Sorts lanes by priority, the most urgent first."""
    return PRIORITIES.index(priority_of(lane))
