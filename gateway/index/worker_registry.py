"""The live workers, by their announcements. A worker that stops announcing itself is dropped within seconds."""

import time
from collections.abc import Callable

import msgspec
from nats.aio.msg import Msg

from shared.logs import get_logger
from shared.messages import UNDECODABLE
from shared.worker_info import ModelState, WorkerInfo, WorkerModel

log = get_logger(__name__)

# Seconds without an announcement after which a worker counts as gone. Workers announce themselves every 2 s.
ANNOUNCEMENT_TIMEOUT = 6.0

_decode = msgspec.json.Decoder(WorkerInfo).decode


class WorkerRegistry:
    """Workers by their last announcement. `clock` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[WorkerInfo, float]] = {}
        self._listening_since = clock()
        self._served: dict[str, float] = {}  # when a worker that has not failed last announced the model

    async def on_message(self, message: Msg) -> None:
        """Process an announcement; an empty one means that the worker stops."""
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
        for model in info.served:
            if model.state is not ModelState.FAILED:
                self._served[model.name] = self._clock()

    async def on_connect(self) -> None:
        """Restart the absence times: no announcement could arrive while NATS was away."""
        self._listening_since = self._clock()

    def absence(self, model: str) -> float:
        """Seconds for which this gateway was connected and no worker announced the model."""
        return self._clock() - max(self._listening_since, self._served.get(model, 0.0))

    def live(self) -> list[WorkerInfo]:
        """The workers that announced themselves recently, sorted by id."""
        oldest = self._clock() - ANNOUNCEMENT_TIMEOUT
        self._seen = {key: seen for key, seen in self._seen.items() if seen[1] >= oldest}
        return [info for _, (info, _) in sorted(self._seen.items())]

    def of_model(self, model: str) -> list[tuple[WorkerInfo, WorkerModel]]:
        """The workers that serve `model`, with what each announces about it."""
        return [(info, each) for info in self.live() for each in info.served if each.name == model]

    def models(self) -> set[str]:
        """The models that live workers serve, loaded or not."""
        return {each.name for info in self.live() for each in info.served}

    def checkpoints(self, model: str) -> set[str | None]:
        """The checkpoints that ready workers have loaded as `model`; None stands for an unnamed one."""
        return {info.checkpoint for info in self.ready(model)}

    def ready(self, model: str) -> list[WorkerModel]:
        """What the workers announce about `model` that have it loaded and take jobs."""
        served = self.of_model(model)
        return [each for info, each in served if info.takes_jobs and each.state is ModelState.LOADED]
