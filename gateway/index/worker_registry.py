"""The workers that are alive, by what they announce. One that falls silent is gone within seconds."""

import time
from collections.abc import Callable

import msgspec
from nats.aio.msg import Msg

from shared.logs import get_logger
from shared.messages import UNDECODABLE, WorkerInfo, WorkerState

log = get_logger(__name__)

# Workers announce themselves every two seconds; three missed ones mean that they are dead.
SILENCE = 6.0

_decode = msgspec.json.Decoder(WorkerInfo).decode


class WorkerRegistry:
    """Who announced itself lately. `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[WorkerInfo, float]] = {}
        self._listening_since = clock()
        self._served: dict[str, float] = {}  # when a worker that serves the model, or will, was last heard

    async def on_message(self, message: Msg) -> None:
        """Take an announcement; an empty one says goodbye."""
        worker_id = message.subject.rsplit(".", 1)[-1]
        if not message.data:
            self._seen.pop(worker_id, None)
            return
        try:
            info = _decode(message.data)
        except UNDECODABLE as error:
            log.warning("not a worker's announcement", subject=message.subject, error=str(error))
            return
        self._seen[worker_id] = (info, self._clock())
        if info.state is not WorkerState.FAILED:
            self._served[info.model] = self._clock()

    async def on_connect(self) -> None:
        """NATS was away, and no worker could be heard."""
        self._listening_since = self._clock()

    def absence(self, model: str) -> float:
        """Seconds for which this gateway could have heard a worker that serves the model, and heard none."""
        return self._clock() - max(self._listening_since, self._served.get(model, 0.0))

    def live(self) -> list[WorkerInfo]:
        """The workers that announced themselves lately, by id."""
        oldest = self._clock() - SILENCE
        self._seen = {key: seen for key, seen in self._seen.items() if seen[1] >= oldest}
        return [info for _, (info, _) in sorted(self._seen.items())]

    def of_model(self, model: str) -> list[WorkerInfo]:
        return [info for info in self.live() if info.model == model]

    def checkpoints(self, model: str) -> set[str | None]:
        """What ready workers have loaded as `model`; None stands for what cannot be told."""
        return {info.checkpoint for info in self.ready(model)}

    def ready(self, model: str) -> list[WorkerInfo]:
        """The workers whose slots take jobs of `model` now."""
        return [info for info in self.of_model(model) if info.state is WorkerState.READY]
