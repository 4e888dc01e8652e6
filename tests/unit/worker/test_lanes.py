"""The order in which a worker asks the lanes of the queue."""

from collections import Counter

from shared.lanes import PATIENCE
from worker.lanes import Turns


def serve(turns: Turns, queue: Counter[str]) -> str:
    """Take one job as a worker does; lanes without a job answer that they have none."""
    waiting = [lane for lane, jobs in queue.items() if jobs]
    lane = turns.order(waiting)[0]
    queue[lane] -= 1
    turns.taken(lane, waiting)
    return lane


def test_the_most_urgent_priority_comes_first() -> None:
    lanes = ["batch", "normal-3", "interactive-1", "normal", "interactive"]
    assert Turns().order(lanes) == ["interactive-1", "interactive", "normal-3", "normal", "batch"]


def test_lanes_of_one_priority_take_turns() -> None:
    turns, queue = Turns(), Counter({"normal-1": 200, "normal-2": 3, "normal": 3})
    served = [serve(turns, queue) for _ in range(12)]
    assert Counter(served[:9]) == {"normal-1": 3, "normal-2": 3, "normal": 3}
    assert served[9:] == ["normal-1"] * 3


def test_a_new_lane_is_the_next_one() -> None:
    turns, queue = Turns(), Counter({"normal-1": 200})
    for _ in range(5):
        serve(turns, queue)
    queue["normal-2"] = 1
    assert serve(turns, queue) == "normal-2"


def test_no_priority_starves() -> None:
    turns, queue = Turns(), Counter({"interactive": 1000, "normal": 1000, "batch": 1000})
    served = Counter(serve(turns, queue) for _ in range(200))
    assert served["interactive"] > served["normal"] >= served["batch"] > 200 // (2 * PATIENCE)


def test_an_overdue_lane_without_a_job_to_give_delays_the_others_once() -> None:
    turns = Turns()
    for _ in range(PATIENCE):
        turns.taken("interactive", ["interactive", "batch"])
    assert turns.order(["interactive", "batch"])[0] == "batch"
    turns.was_empty("batch")
    assert turns.order(["interactive", "batch"])[0] == "interactive"


def test_lanes_of_later_versions_are_the_least_urgent() -> None:
    assert Turns().order(["urgent", "normal"]) == ["normal", "urgent"]
