"""Takes jobs from the lanes of the queue: the most urgent first, the lanes of one priority in turns."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable

import nats.js.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from shared import subjects
from shared.bus import REQUEST_TIMEOUT, Bus
from shared.lanes import NORMAL, PATIENCE, priority_of, urgency
from shared.topology import ensure_consumer

# The broker answers at once, with a job or with the status "no messages".
_PULL_ONE = json.dumps({"batch": 1, "no_wait": True}).encode()
_NO_MESSAGES = "404"


class Turns:
    """Decides the order in which lanes are asked.

    The most urgent priority comes first. Within a priority, the lane that was served longest ago comes first. A
    priority that waited while PATIENCE more urgent jobs were taken comes before all others, once.
    """

    def __init__(self) -> None:
        self._served: dict[str, int] = {}  # the number of the last job taken, by lane
        self._passed_over: Counter[str] = Counter()  # more urgent jobs taken meanwhile, by priority
        self._count = 0

    def order(self, lanes: Iterable[str]) -> list[str]:
        """The lanes in the order in which they are asked for a job."""
        return sorted(lanes, key=self._rank)

    def _rank(self, lane: str) -> tuple[bool, int, int]:
        is_overdue = self._passed_over[priority_of(lane)] >= PATIENCE
        return not is_overdue, urgency(lane), self._served.get(lane, 0)

    def taken(self, lane: str, waiting: Iterable[str]) -> None:
        """Note that a job was taken from `lane` while `waiting` held further ones."""
        self._count += 1
        self._served[lane] = self._count
        for priority in {priority_of(each) for each in waiting if urgency(each) > urgency(lane)}:
            self._passed_over[priority] += 1
        self.was_empty(lane)

    def was_empty(self, lane: str) -> None:
        """Note that the lane's priority has had its turn, with a job or without one."""
        self._passed_over[priority_of(lane)] = 0


class JobLanes:
    """The lanes of one model.

    Which lanes have messages is asked with one request; only those are asked for a job. The lanes of jobs that other
    workers hold have messages, too, and answer that they have none to give.
    """

    def __init__(self, bus: Bus, model: str) -> None:
        self._bus = bus
        self._model = model
        self._turns = Turns()
        self._consumers: set[str] = set()
        self._inbox = ""
        self._answers: Subscription | None = None
        self._requests = 0
        self._news = asyncio.Event()

    async def prepare(self) -> None:
        """Create or check the consumer of the normal lane; subscribe after the first connection only.

        Raises:
            TopologyError: if a consumer exists with an incompatible configuration.
        """
        self._consumers.clear()  # they may have been deleted
        await self._ensure_consumer(NORMAL)
        if self._answers is None:
            self._inbox = self._bus.client.new_inbox()
            self._answers = await self._bus.client.subscribe(f"{self._inbox}.*")
            # Only a hint that a job was queued: what is handed back or redelivered comes without it.
            await self._bus.client.subscribe(subjects.model_jobs(self._model), cb=self._on_job)

    async def take(self) -> Msg | None:
        """The next job's message; None if no lane has one to give.

        Never cancel it: a message that arrives for a cancelled request is not redelivered before ACK_WAIT.

        Raises:
            nats.js.errors.APIError: if the stream or a consumer is missing.
            nats.errors.Error: one of `AWAY`, if the broker does not answer.
        """
        self._news.clear()
        if late := await self._late_message():
            return late
        waiting = await self._lanes_with_messages()
        for lane in self._turns.order(waiting):
            await self._ensure_consumer(lane)
            message = await self._pull(lane)
            if message is not None:
                self._turns.taken(lane, waiting)
                return message
            self._turns.was_empty(lane)
        return None

    async def wait_for_news(self) -> None:
        """Wait until a job is queued, or `wake` is called."""
        await self._news.wait()

    def wake(self) -> None:
        """End `wait_for_news`."""
        self._news.set()

    async def _on_job(self, message: Msg) -> None:
        self.wake()

    async def _lanes_with_messages(self) -> list[str]:
        pattern = subjects.model_jobs(self._model)
        info = await self._bus.js.stream_info(subjects.JOBS_STREAM, subjects_filter=pattern)
        return [lane for subject in info.state.subjects or {} if (lane := subjects.lane_of(subject))]

    async def _ensure_consumer(self, lane: str) -> None:
        if lane not in self._consumers:
            await ensure_consumer(self._bus.js, self._model, lane)
            self._consumers.add(lane)

    async def _late_message(self) -> Msg | None:
        """A job that answered an earlier request too late, because the broker was frozen."""
        assert self._answers is not None
        while self._answers.pending_msgs:
            message = await self._answers.next_msg(REQUEST_TIMEOUT)
            if _status(message) is None:
                return message
        return None

    async def _pull(self, lane: str) -> Msg | None:
        assert self._answers is not None
        self._requests += 1
        reply = f"{self._inbox}.{self._requests}"
        consumer = subjects.consumer_name(self._model, lane)
        await self._bus.client.publish(subjects.next_message_subject(consumer), _PULL_ONE, reply)
        while True:
            message = await self._answers.next_msg(REQUEST_TIMEOUT)
            status = _status(message)
            if status is None:
                return message
            if message.subject != reply:
                continue  # of an earlier request
            if status == _NO_MESSAGES:
                return None
            raise nats.js.errors.APIError.from_msg(message)


def _status(message: Msg) -> str | None:
    """The status in a message of the broker itself; None for a job."""
    return (message.headers or {}).get("Status")
