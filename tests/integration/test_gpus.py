"""A worker per GPU; the engine only says which one it sees."""

from tests.integration.system import System


async def test_each_worker_sees_its_own_gpu_and_tells_it(system: System) -> None:
    api = await system.gateway()
    settings = {"MUSICGEN_ENGINE": "tests.engines:load_seeing"}
    for device in ("cuda:0", "cuda:3"):
        await system.worker(MUSICGEN_DEVICE=device, **settings)
    await api.until(await api.generate(), "completed")
    found = {each["device"]: each["engine"] for each in (await api.health())["workers"]}
    assert found == {"cuda:0": "cuda sees 0", "cuda:3": "cuda sees 3"}
