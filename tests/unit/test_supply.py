"""The audit of dependencies, against a fake vulnerability database, and the bill of materials."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(shutil.which("uv") is None, reason="needs uv")

PROJECT = '[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["sample"]\n'
LOCK = """
version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "mine"
version = "1"
source = { virtual = "." }
dependencies = [{ name = "sample" }]

[package.metadata]
requires-dist = [{ name = "sample" }]

[[package]]
name = "sample"
version = "1.0"
source = { registry = "https://registry.invalid/simple" }
wheels = [{ url = "https://registry.invalid/sample-1.0-py3-none-any.whl", hash = "sha256:%s", size = 1 }]
"""
LOCK %= "0" * 64
KNOWN = {"id": "GHSA-1", "modified": "2026-01-01T00:00:00Z", "summary": "It explodes"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "uv.lock").write_text(LOCK)
    return tmp_path


@contextmanager
def database(status: int, *, knows: bool) -> Iterator[str]:
    """Run a fake OSV service that answers every query alike; yield its URL."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            questions = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
            self._send({"results": [{"vulns": [KNOWN]} if knows else {} for _ in questions]})

        def do_GET(self) -> None:
            self._send(KNOWN)

        def log_message(self, *_: object) -> None:
            pass

        def _send(self, body: object) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def audit(project: Path, url: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OSV_URL": url, "UV_FROZEN": "1", "UV_HTTP_RETRIES": "0"}
    argv = [str(ROOT / ".ci" / "audit"), "--project", str(project)]
    return subprocess.run(argv, capture_output=True, text=True, env=environment, timeout=60)


@pytest.mark.parametrize(("knows", "code", "words"), [(True, 1, "It explodes"), (False, 0, "no known vulnerabilities")])
def test_only_a_known_vulnerability_fails_the_audit(project: Path, knows: bool, code: int, words: str) -> None:
    with database(200, knows=knows) as url:
        done = audit(project, url)
    assert (done.returncode, words in done.stdout) == (code, True), done.stdout


def test_a_refusing_database_is_reported_and_passes(project: Path) -> None:
    with database(403, knows=True) as url:
        done = audit(project, url)
    assert (done.returncode, "NOT AUDITED" in done.stdout) == (0, True), done.stdout


def test_an_unreachable_database_is_reported_and_passes(project: Path) -> None:
    done = audit(project, "http://127.0.0.1:1/")
    assert (done.returncode, "NOT AUDITED" in done.stdout) == (0, True), done.stdout


def test_an_audit_that_cannot_start_fails(tmp_path: Path) -> None:
    done = audit(tmp_path / "nowhere", "http://127.0.0.1:1/")
    assert done.returncode != 0


def test_the_bill_of_materials_is_cyclonedx(project: Path) -> None:
    argv = ["uv", "export", "--quiet", "--frozen", "--format", "cyclonedx1.5", "--project", str(project)]
    bom = json.loads(subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout)
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.5")
    assert [(each["name"], each["version"]) for each in bom["components"]] == [("sample", "1.0")]
