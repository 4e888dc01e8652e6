"""A process as a NATS micro service (ADR-32 of NATS): the nats CLI lists it, with its state and load.

`nats service ls` asks `$SRV.PING`, and `nats service info` and `stats` ask `$SRV.INFO` and `$SRV.STATS`. Every process
answers for itself.
"""

from collections.abc import Callable

import msgspec
from nats.micro.request import Request
from nats.micro.service import EndpointStats, Service, ServiceConfig

from shared import subjects
from shared.bus import Bus
from shared.messages import encode
from shared.version import VERSION


def serve_state(bus: Bus, role: str, describe: Callable[[], msgspec.Struct], metadata: dict[str, str]) -> None:
    """Register the process as `musicgen-<role>` whenever the bus connects.

    Args:
        bus: the connection on which it answers.
        role: `gateway` or `worker`.
        describe: returns the present state. It is the `data` of `$SRV.STATS`, and the answer to a request on the
            process's own subject, `music.state.<role>.<id>`.
        metadata: fixed facts, which every answer holds.
    """

    def load(_: EndpointStats) -> object:
        return msgspec.to_builtins(describe())

    async def respond(request: Request) -> None:
        await request.respond(encode(describe()))

    config = ServiceConfig(f"musicgen-{role}", VERSION, f"TellUrStori's {role}", metadata, stats_handler=load)
    service, is_complete = Service(bus.client, config), False

    async def prepare() -> None:
        nonlocal is_complete
        await service.start()  # does nothing at a reconnect, which its subscriptions survive
        if not is_complete:
            is_complete = True
            await service.add_endpoint(name="state", subject=subjects.state_subject(role, service.id), handler=respond)

    bus.on_connect(prepare)
