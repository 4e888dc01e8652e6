"""Asking for the same music again, and what there is to see of that."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
from nats.aio.msg import Msg

from shared import subjects
from shared.job_id import new_job_id
from shared.messages import JobRecord
from tests.integration.finished import RECIPE, plant
from tests.integration.system import Api, System

REQUEST: dict[str, Any] = msgspec.to_builtins(RECIPE)


async def ask(api: Api, **fields: Any) -> dict[str, Any]:
    """The answer to a request for RECIPE with some fields changed; None leaves one out."""
    body = {name: value for name, value in (REQUEST | fields).items() if value is not None}
    async with api.http.post("/api/v1/generate", json=body) as response:
        answer: dict[str, Any] = await response.json()
        assert response.status == 200, answer
        return answer


async def messages(system: System) -> int:
    """How many jobs are in the queue."""
    return (await (await system.nats()).jetstream().stream_info(subjects.JOBS_STREAM)).state.messages


async def follower(system: System, **fields: Any) -> str:
    """A job that follows, as a gateway leaves it that dies as soon as its record is there."""
    moment, job_id = datetime.now(UTC), new_job_id()
    values: dict[str, Any] = {"created_at": moment, "updated_at": moment, "recipe": RECIPE, "is_follower": True}
    await plant(system, JobRecord(job_id=job_id, **(values | fields)))
    return job_id


async def events_of(system: System) -> list[dict[str, Any]]:
    """All events from now on."""
    seen: list[dict[str, Any]] = []

    async def take(message: Msg) -> None:
        seen.append(json.loads(message.data))

    observer = await system.nats("observer")
    await observer.subscribe("music.events.>", cb=take)
    await observer.flush()
    return seen


async def is_queued(api: Api, job_id: str) -> bool:
    return (await api.status(job_id))["queue_position"] is not None
