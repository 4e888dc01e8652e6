"""The variables that `musicgen env` exports."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.cli.env import exported_variables, print_exports
from shared.errors import MusicgenError
from tests.unit.deploy.cli.fake_up import URLS, fake_up


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("S3_BUCKET", "S3_REGION"):
        monkeypatch.delenv(name, raising=False)


def test_a_running_up_exports_operator_access_to_every_part(tmp_path: Path) -> None:
    credentials = fake_up(tmp_path)
    keys = credentials.s3_keys["operator"]
    assert exported_variables(tmp_path) == {
        "MUSICGEN_URL": URLS["gateway"],
        "NATS_URL": f"nats://operator:{credentials.nats_passwords['operator']}@127.0.0.1:4222",
        "S3_ENDPOINT": URLS["s3"],
        "AWS_ENDPOINT_URL": URLS["s3"],
        "S3_ACCESS_KEY": keys.access_key,
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "S3_SECRET_KEY": keys.secret_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        "S3_BUCKET": "music-audio",
        "AWS_REGION": "us-east-1",
    }


def test_a_configured_server_is_not_exported(tmp_path: Path) -> None:
    fake_up(tmp_path, "gateway", "worker")
    assert exported_variables(tmp_path) == {"MUSICGEN_URL": URLS["gateway"]}


def test_the_configured_bucket_is_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_BUCKET", "tunes")
    fake_up(tmp_path, "s3")
    assert exported_variables(tmp_path)["S3_BUCKET"] == "tunes"


@pytest.mark.parametrize("stale", [False, True])
def test_env_fails_without_a_running_up(tmp_path: Path, stale: bool) -> None:
    if stale:
        fake_up(tmp_path, alive=False)
    with pytest.raises(MusicgenError, match="No `musicgen up` runs on") as caught:
        exported_variables(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_shell_can_evaluate_the_export_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake_up(tmp_path)
    print_exports(tmp_path)
    lines = capsys.readouterr().out
    script = f"{lines}\n'{sys.executable}' -c 'import json, os; print(json.dumps(dict(os.environ)))'"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, timeout=30, check=True, env={})
    assert exported_variables(tmp_path).items() <= json.loads(done.stdout).items()
