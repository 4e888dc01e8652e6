"""The checks of `musicgen doctor`."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import nats
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from nats.aio.client import Client

from deploy.cli import doctor as doctor_module
from deploy.cli.doctor import Finding, doctor, run_checks
from shared import subjects
from shared.lifecycle import end
from shared.messages import now
from shared.settings import Settings
from shared.worker_info import WorkerInfo, WorkerState
from tests.servers import embedded_nats
from tests.unit.deploy.cli.fake_up import without_home
from worker.engine.kernels.native_library import NativeStepError

SETTINGS = [name.upper() for name in Settings.__struct_fields__]
CHECKPOINT = ("state_dict.bin", "compression_state_dict.bin")


@pytest.fixture(scope="module")
def nats_urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The URL of a real nats-server by role."""
    server, urls = embedded_nats(tmp_path_factory.mktemp("nats"))
    server.start()
    yield urls
    server.stop()


@pytest.fixture(scope="module")
def nats_url(nats_urls: dict[str, str]) -> str:
    """The URL for an operator."""
    return nats_urls["operator"]


@pytest.fixture(scope="module")
def observer_url(nats_urls: dict[str, str]) -> str:
    """The URL for an observer, who may only subscribe to events."""
    return nats_urls["observer"]


@pytest.fixture(autouse=True)
def _environment(nats_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the settings of the test: a real NATS, and an S3 port without a server."""
    for name in (*SETTINGS, "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NATS_URL", nats_url)
    monkeypatch.setenv("S3_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("S3_ACCESS_KEY", "key")
    monkeypatch.setenv("S3_SECRET_KEY", "secret")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("MUSICGEN_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(doctor_module, "LISTEN_SECONDS", 0.1)


async def findings(data_dir: Path) -> dict[str, Finding]:
    return {finding.name: finding for finding in await run_checks(data_dir)}


async def test_an_invalid_setting_is_the_only_finding_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "http")
    (finding,) = await run_checks(tmp_path)
    assert (finding.name, finding.ok) == ("settings", False)
    assert "GATEWAY_PORT" in finding.detail
    assert finding.remedy


async def test_every_part_is_checked(tmp_path: Path) -> None:
    found = await findings(tmp_path)
    assert list(found) == ["settings", "programs", "gpu", "step", "memory", "disk", "model", "nats", "s3", "workers"]
    assert found["settings"].ok
    assert found["programs"].ok
    assert found["model"].ok
    assert found["nats"].ok


async def test_an_unreachable_configured_server_is_an_error(tmp_path: Path) -> None:
    finding = (await findings(tmp_path))["s3"]
    assert finding.ok is False
    assert "127.0.0.1:1" in finding.detail
    assert "S3_ENDPOINT" in finding.remedy


async def test_an_unreachable_nats_is_reported_quickly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_URL", "nats://127.0.0.1:1")
    async with asyncio.timeout(10):
        finding = (await findings(tmp_path))["nats"]
    assert finding.ok is False
    assert "127.0.0.1:1" in finding.detail


async def test_each_server_of_a_cluster_is_checked(
    tmp_path: Path, nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = nats_url.partition("@")[0]
    monkeypatch.setenv("NATS_URL", f"{nats_url}, {user}@127.0.0.1:1")
    finding = (await findings(tmp_path))["nats"]
    assert finding.ok is None
    assert finding.detail.startswith("1 of 2 servers answer; 127.0.0.1:1: ")
    monkeypatch.setenv("NATS_URL", f"{user}@127.0.0.1:1,{user}@127.0.0.1:2")
    finding = (await findings(tmp_path))["nats"]
    assert finding.ok is False
    assert "127.0.0.1:1: " in finding.detail
    assert "127.0.0.1:2: " in finding.detail


async def test_a_server_that_up_starts_itself_is_only_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("S3_ENDPOINT")
    monkeypatch.setenv("S3_BUCKET", "no-such-bucket")
    finding = (await findings(tmp_path))["s3"]
    assert finding.ok is None
    assert "musicgen up" in finding.detail


async def test_a_password_in_a_url_is_not_shown(tmp_path: Path, nats_url: str) -> None:
    password = urlsplit(nats_url).password
    assert password
    assert password not in str(await run_checks(tmp_path))


@pytest.mark.parametrize(
    ("files", "ok"), [(CHECKPOINT, True), (CHECKPOINT[:1], False), (CHECKPOINT[1:], False), ((), False)]
)
async def test_a_folder_needs_both_files_of_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: tuple[str, ...], ok: bool
) -> None:
    for name in files:
        (tmp_path / name).touch()
    monkeypatch.setenv("MUSICGEN_MODEL_SIZE", str(tmp_path))
    finding = (await findings(tmp_path))["model"]
    assert finding.ok is ok
    assert all(name in finding.remedy for name in CHECKPOINT) is not ok


async def test_a_hub_model_is_a_note_until_it_is_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSICGEN_MODEL_SIZE", "small")
    finding = (await findings(tmp_path))["model"]
    assert finding.ok is None
    assert "will be downloaded" in finding.detail
    snapshot = tmp_path / "hub" / "hub" / "models--facebook--musicgen-small" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "state_dict.bin").touch()
    assert (await findings(tmp_path))["model"].ok is True


async def test_a_user_without_a_home_folder_has_no_cached_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_home(monkeypatch)
    monkeypatch.delenv("HF_HOME")
    monkeypatch.setenv("MUSICGEN_MODEL_SIZE", "small")
    assert (await findings(tmp_path))["model"].ok is None


async def test_int4_is_a_note_until_it_is_measured_and_needs_the_native_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> tuple[str, ...]:
        raise NativeStepError("it was not compiled")

    monkeypatch.setenv("MUSICGEN_PRECISION", "int4")
    step = (await findings(tmp_path))["step"]
    assert step.ok is None
    assert "was not measured" in step.detail
    monkeypatch.setattr(doctor_module, "instruction_sets", fail)
    step = (await findings(tmp_path))["step"]
    assert step.ok is False
    assert "MUSICGEN_PRECISION=int4 needs it" in step.detail


async def test_a_missing_data_folder_is_fine(tmp_path: Path) -> None:
    assert "GB free" in (await findings(tmp_path / "not" / "yet"))["disk"].detail


async def test_the_exit_code_is_1_if_a_check_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await doctor(tmp_path) == 1
    printed = capsys.readouterr().out
    assert "s3" in printed
    assert "→" in printed


async def test_having_no_worker_is_an_error(tmp_path: Path) -> None:
    finding = (await findings(tmp_path))["workers"]
    assert finding.ok is False
    assert "no worker serves a model" in finding.detail
    assert "musicgen worker" in finding.remedy


@pytest.mark.parametrize(
    ("state", "ok", "words"),
    [
        (WorkerState.READY, True, "1 ready: starter on cpu"),
        (WorkerState.LOADING, None, "no worker serves a model yet: it says so"),
        (WorkerState.FAILED, False, "no worker serves a model: it says so"),
    ],
)
async def test_without_a_gateway_workers_are_found_on_nats(
    tmp_path: Path, nats_url: str, monkeypatch: pytest.MonkeyPatch, state: WorkerState, ok: bool | None, words: str
) -> None:
    monkeypatch.setattr(doctor_module, "LISTEN_SECONDS", 1.0)
    client = await nats.connect(nats_url)
    announcing = asyncio.create_task(announce(client, state))
    try:
        finding = (await findings(tmp_path))["workers"]
    finally:
        await end((announcing,))
        await client.close()
    assert (finding.ok, finding.detail) == (ok, words)


async def announce(client: Client, state: WorkerState) -> None:
    """Announce a worker, more often than a real one does."""
    info = WorkerInfo(
        worker_id="w1", model="starter", state=state, message="it says so", device="cpu", started_at=now(), version="1"
    )
    while True:
        await client.publish(subjects.worker_subject("w1"), msgspec.json.encode(info))
        await asyncio.sleep(0.05)


async def test_workers_are_read_from_a_running_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def health(request: web.Request) -> web.Response:
        return web.json_response({"workers": []}, status=503)

    app = web.Application()
    app.router.add_get("/health", health)
    monkeypatch.setenv("NATS_URL", "nats://127.0.0.1:1")
    async with TestServer(app) as server:
        monkeypatch.setenv("MUSICGEN_URL", str(server.make_url("/")))
        finding = (await findings(tmp_path))["workers"]
    assert finding.ok is False
    assert "jobs stay queued" in finding.detail


async def test_without_gateway_and_nats_workers_are_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_URL", "nats://127.0.0.1:1")
    finding = (await findings(tmp_path))["workers"]
    assert finding.ok is None
    assert "musicgen up" in finding.detail


async def test_workers_are_a_note_for_a_user_without_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, observer_url: str
) -> None:
    monkeypatch.setattr(doctor_module, "LISTEN_SECONDS", 1.0)
    monkeypatch.setenv("NATS_URL", observer_url)
    assert (await findings(tmp_path))["workers"].ok is None
