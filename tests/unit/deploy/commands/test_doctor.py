"""What is wrong here, and how to mend it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.commands.doctor import Finding, doctor, examine
from shared.settings import Settings
from tests.servers import embedded_nats

SETTINGS = [name.upper() for name in Settings.__struct_fields__]
CHECKPOINT = ("state_dict.bin", "compression_state_dict.bin")


@pytest.fixture(scope="module")
def nats_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real broker, as an operator reaches it."""
    server, urls = embedded_nats(tmp_path_factory.mktemp("nats"))
    server.start()
    yield urls["operator"]
    server.stop()


@pytest.fixture(autouse=True)
def _environment(nats_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings but the test's own: the broker, and an S3 port on which nobody listens."""
    for name in (*SETTINGS, "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NATS_URL", nats_url)
    monkeypatch.setenv("S3_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("S3_ACCESS_KEY", "key")
    monkeypatch.setenv("S3_SECRET_KEY", "secret")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))


async def findings(data_dir: Path) -> dict[str, Finding]:
    return {finding.what: finding for finding in await examine(data_dir)}


async def test_a_wrong_setting_is_the_only_finding_and_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "http")
    (finding,) = await examine(tmp_path)
    assert (finding.what, finding.ok) == ("settings", False)
    assert "GATEWAY_PORT" in finding.detail
    assert finding.remedy


async def test_every_part_is_looked_at(tmp_path: Path) -> None:
    found = await findings(tmp_path)
    assert list(found) == ["settings", "programs", "gpu", "memory", "disk", "model", "nats", "s3"]
    assert found["settings"].ok
    assert found["programs"].ok
    assert found["model"].ok
    assert found["nats"].ok


async def test_a_server_of_ones_own_that_is_away_is_wrong(tmp_path: Path) -> None:
    finding = (await findings(tmp_path))["s3"]
    assert finding.ok is False
    assert "127.0.0.1:1" in finding.detail
    assert "S3_ENDPOINT" in finding.remedy


async def test_a_broker_that_nobody_answers_for_is_told_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_URL", "nats://127.0.0.1:1")
    async with asyncio.timeout(10):
        finding = (await findings(tmp_path))["nats"]
    assert finding.ok is False
    assert "127.0.0.1:1" in finding.detail


async def test_a_server_that_up_would_bring_is_only_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("S3_ENDPOINT")
    monkeypatch.setenv("S3_BUCKET", "no-such-bucket")
    finding = (await findings(tmp_path))["s3"]
    assert finding.ok is None
    assert "musicgen up" in finding.detail


async def test_a_password_in_a_url_is_not_shown(tmp_path: Path, nats_url: str) -> None:
    password = urlsplit(nats_url).password
    assert password
    assert password not in str(await examine(tmp_path))


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


async def test_a_model_of_the_hub_is_a_note_until_it_is_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSICGEN_MODEL_SIZE", "small")
    finding = (await findings(tmp_path))["model"]
    assert finding.ok is None
    assert "will be downloaded" in finding.detail
    snapshot = tmp_path / "hub" / "hub" / "models--facebook--musicgen-small" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "state_dict.bin").touch()
    assert (await findings(tmp_path))["model"].ok is True


async def test_a_data_directory_that_is_not_there_yet_is_fine(tmp_path: Path) -> None:
    assert "GB free" in (await findings(tmp_path / "not" / "yet"))["disk"].detail


async def test_the_exit_code_says_whether_anything_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await doctor(tmp_path) == 1
    printed = capsys.readouterr().out
    assert "s3" in printed
    assert "→" in printed
