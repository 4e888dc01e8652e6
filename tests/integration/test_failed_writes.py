"""Failed writes to NATS and S3 are counted by kind."""

from typing import Any

import pytest
from prometheus_client import REGISTRY

from shared import subjects
from shared.errors import UnavailableError
from shared.files import audio_key
from shared.storage import Storage
from tests.integration.jobs import store
from tests.integration.system import Api, System


def failed(what: str) -> float:
    return REGISTRY.get_sample_value("musicgen_failed_writes_total", {"what": what}) or 0.0


async def accepted(api: Api) -> bool:
    async with api.http.post("/api/v1/generate", json={"prompt": "tone"}) as response:
        return bool(response.status == 200)


@pytest.mark.parametrize(
    ("what", "stream", "limit"),
    [
        ("record", f"KV_{subjects.JOBS_BUCKET}", {"max_msgs": 1}),
        ("job", subjects.JOBS_STREAM, {"max_msg_size": 1}),
        ("event", subjects.EVENTS_STREAM, {"max_msg_size": 1}),
    ],
)
async def test_failed_nats_writes_are_counted(system: System, what: str, stream: str, limit: dict[str, Any]) -> None:
    api, before = await system.gateway(), failed(what)
    assert await accepted(api)
    js = (await system.nats()).jetstream()
    config = (await js.stream_info(stream)).config
    await js.update_stream(config.evolve(**limit))
    assert await accepted(api) is (what == "event")
    assert failed(what) > before


async def test_failed_s3_writes_are_counted(system: System) -> None:
    before, away = failed("object"), Storage(system.settings("worker", S3_ENDPOINT="http://127.0.0.1:1"))
    with pytest.raises(UnavailableError):
        await store(away, audio_key("gen_000000000000"), b"")
    assert failed("object") == before + 1
