"""Both images, built from their Dockerfiles and run without a container engine."""

import ast
import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp
import msgspec
import psutil
import pytest

from deploy.stack.credentials import CREDENTIALS_FILE, Credentials, S3Keys, write_private
from deploy.stack.embedded_servers import find_program
from deploy.stack.ports import free_ports
from tests.conftest import ROOT
from tests.images import Image, build_context, build_image, can_confine
from tests.integration.system import eventually
from tests.servers import embedded_s3
from tests.unit.deploy.test_containers import load

CONTAINERS = ROOT / "deploy" / "containers"

# Nothing listens on port 1.
AWAY = {
    "NATS_URL": "nats://role:secret@127.0.0.1:1",
    "S3_ENDPOINT": "http://127.0.0.1:1",
    "S3_ACCESS_KEY": "key",
    "S3_SECRET_KEY": "secret",
}

# Data files that the code reads.
DATA = (
    "deploy/nats.conf",
    "gateway/http/static/index.html",
    "gateway/prompts/vocabulary.json",
    "worker/engine/sampler/bank.zip",
    "worker/engine/starter_model/state_dict.bin",
    "worker/engine/starter_model/compression_state_dict.bin",
    "worker/engine/starter_model/t5/config.json",
    "worker/engine/starter_model/t5/model.safetensors",
    "worker/engine/starter_model/t5/tokenizer.json",
    "worker/engine/starter_model/t5/tokenizer_config.json",
)


@pytest.fixture(scope="module")
def gateway_image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return build_image(CONTAINERS / "gateway.Dockerfile", tmp_path_factory.mktemp("gateway"))


@pytest.fixture(scope="module")
def worker_image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return build_image(CONTAINERS / "worker.Dockerfile", tmp_path_factory.mktemp("worker"))


@pytest.fixture(params=["gateway_image", "worker_image"])
def image(request: pytest.FixtureRequest) -> Image:
    built: Image = request.getfixturevalue(request.param)
    return built


def test_the_command_of_an_image_runs(image: Image) -> None:
    program, role = image.entrypoint
    assert f"usage: {program} {role}" in image.run(program, role, "--help")


def test_an_image_has_the_client_commands(image: Image) -> None:
    with image.start("musicgen", "jobs", "--url", "http://127.0.0.1:1") as process:
        assert "No gateway answers at http://127.0.0.1:1." in process.communicate(timeout=60)[0]
    assert process.returncode == 1


@pytest.mark.parametrize("file", DATA)
def test_an_image_holds_the_data_files(image: Image, file: str) -> None:
    (packages,) = image.prefix.glob("lib/python*/site-packages")
    assert (packages / file).read_bytes() == (ROOT / file.replace("deploy/nats.conf", "nats.conf")).read_bytes()


def test_an_image_holds_the_licence(image: Image) -> None:
    (licence,) = image.prefix.glob("lib/python*/site-packages/tellurstori_musicgen-*.dist-info/licenses/LICENSE")
    assert licence.read_text() == (ROOT / "LICENSE").read_text()


@pytest.mark.skipif(not can_confine(), reason="needs root, and a kernel that allows mounts")
def test_an_image_runs_without_rights_and_writes_only_to_its_home_and_tmp(image: Image) -> None:
    script = (
        "import os, pathlib, sys\n"
        "for folder in ('/', '/etc', '/tmp', '.', sys.prefix):\n"
        "    try: pathlib.Path(folder, 'x').touch(); print(folder)\n"
        "    except OSError: pass\n"
        "print(os.getuid(), os.getcwd(), *[line for line in open('/proc/self/status') if 'CapEff' in line])"
    )
    assert image.run("python", "-c", script).split() == [
        "/tmp", ".", "10001", "/var/lib/musicgen", "CapEff:", "0" * 16
    ]  # fmt: skip


def test_the_gateway_image_has_every_package_it_imports(gateway_image: Image) -> None:
    names = sorted(imported("gateway", "shared", "deploy/cli"))
    assert {"aiohttp", "msgspec", "nats", "rich"} <= set(names)
    script = "import importlib.util, sys; print([n for n in sys.argv[1:] if importlib.util.find_spec(n) is None])"
    assert gateway_image.run("python", "-c", script, *names) == "[]\n"


def test_only_the_worker_image_has_the_native_step(gateway_image: Image, worker_image: Image) -> None:
    script = "from worker.engine.kernels.native_library import LIBRARY; print(LIBRARY.exists())"
    assert [image.run("python", "-c", script) for image in (gateway_image, worker_image)] == ["False\n", "True\n"]


@pytest.mark.parametrize("name", ["torch", "audiocraft", "transformers", "av", "soxr", "librosa"])
def test_the_gateway_image_has_no_worker_packages(gateway_image: Image, name: str) -> None:
    script = f"import importlib.util; print(importlib.util.find_spec({name!r}))"
    assert gateway_image.run("python", "-c", script) == "None\n"


async def test_the_gateway_image_becomes_healthy(gateway_image: Image) -> None:
    (port,) = free_ports(1)
    with running(gateway_image, GATEWAY_PORT=str(port), API_KEYS=f"daw:{'k' * 48}") as (process, environment):
        await until_healthy(gateway_image, process, environment)


async def test_the_worker_image_becomes_healthy_and_loads_the_starter_model(worker_image: Image) -> None:
    (port,) = free_ports(1)
    settings = {"WORKER_METRICS_PORT": str(port), "MUSICGEN_DEVICE": "cpu"}
    with running(worker_image, **settings) as (process, environment):
        await until_healthy(worker_image, process, environment)
        script = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())"
        async with asyncio.timeout(100):
            while "musicgen_engine_up 1.0" not in worker_image.run(
                "python", "-c", script, f"http://127.0.0.1:{port}/metrics"
            ):
                await asyncio.sleep(0.5)


async def test_the_services_of_compose_make_a_job_together(
    gateway_image: Image, worker_image: Image, tmp_path: Path
) -> None:
    """Each with its command, environment and health check, on this machine's ports; SeaweedFS stands in for MinIO."""
    compose = Compose(tmp_path)
    gateway, worker = compose.environment("gateway"), compose.environment("worker")
    async with compose.servers():
        with running(worker_image, **worker) as (worker_process, _), running(gateway_image, **gateway) as (process, _):
            await until_healthy(gateway_image, process, gateway)
            await until_healthy(worker_image, worker_process, worker)
            async with aiohttp.ClientSession(f"http://localhost:{gateway['GATEWAY_PORT']}") as http:
                async with http.post("/api/v1/generate", json={"prompt": "house", "duration": 1}) as got:
                    job_id = (await got.json())["job_id"]

                async def completed() -> bool:
                    async with http.get(f"/api/v1/status/{job_id}") as got:
                        return bool((await got.json())["status"] == "completed")

                await eventually(completed, "the job is made", 100)
                async with http.get(f"/api/v1/download/{job_id}") as got:
                    assert str(got.url).startswith(gateway["S3_PUBLIC_ENDPOINT"])
                    assert (got.status, (await got.read())[:4]) == (200, b"RIFF")


class Compose:
    """compose.yaml with the .env that env.example says how to make, on free ports of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._services = load(ROOT / "compose.yaml")["services"]
        self._nats, self._monitoring, self._gateway, self._metrics = free_ports(4)
        (folder / "deploy").symlink_to(ROOT / "deploy")
        text = (CONTAINERS / "env.example").read_text()
        (command,) = re.findall(r"^#   (\(umask .*\))$", text, re.MULTILINE)
        subprocess.run(["bash", "-euc", command], cwd=folder, check=True)
        assert (folder / ".env").stat().st_mode & 0o777 == 0o600
        self._given = dict(re.findall(r'^(\w+)="?(.*?)"?$', (folder / ".env").read_text(), re.MULTILINE))
        secrets = {role: self._given[f"S3_{role.upper()}_SECRET_KEY"] for role in ("gateway", "worker")}
        keys = {role: S3Keys(f"musicgen-{role}", secret) for role, secret in secrets.items()}
        keys["operator"] = S3Keys("musicgen-admin", self._given["MINIO_ROOT_PASSWORD"])
        write_private(folder / CREDENTIALS_FILE, msgspec.json.encode(Credentials({}, keys)).decode())
        self._s3, settings = embedded_s3(folder)
        self._given["S3_PUBLIC_ENDPOINT"] = self._endpoint = settings["operator"]["S3_ENDPOINT"]

    def environment(self, service: str) -> dict[str, str]:
        """Its variables, with names of other services replaced by their addresses."""

        def value(match: re.Match[str]) -> str:
            return self._given.get(match["name"]) or match["default"] or ""

        variable = re.compile(r"\$\{(?P<name>\w+):(-(?P<default>[^}]*)|\?[^}]*)\}")
        own = {"GATEWAY_PORT": str(self._gateway)} if service == "gateway" else {}
        own |= {"WORKER_METRICS_PORT": str(self._metrics)} if service == "worker" else {}
        found = self._services[service]["environment"] | own
        return {
            name: variable.sub(value, str(text))
            .replace("@nats:4222", f"@127.0.0.1:{self._nats}")
            .replace("http://minio:9000", self._endpoint)
            for name, text in found.items()
        }

    @asynccontextmanager
    async def servers(self) -> AsyncIterator[None]:
        """Run S3, and NATS with the service's command. Both are ready."""
        program, *arguments = self._services["nats"]["command"]
        local = {"/etc/nats/nats.conf": str(ROOT / "nats.conf"), "8222": str(self._monitoring)}
        argv = [find_program(program), *(local.get(word, word) for word in arguments), "-p", str(self._nats)]
        environment = self.environment("nats") | {"NATS_STORE_DIR": str(self._folder / "data")}
        await self._s3.start_again()
        with subprocess.Popen(argv, env=environment, stderr=subprocess.DEVNULL) as nats:
            try:
                await self._until_nats_is_healthy()
                yield
            finally:
                nats.terminate()
                self._s3.stop()

    async def _until_nats_is_healthy(self) -> None:
        """Ask what its health check asks."""
        url = self._services["nats"]["healthcheck"]["test"][-1].replace("8222", str(self._monitoring))

        async def healthy() -> bool:
            try:
                async with aiohttp.ClientSession() as http, http.get(url) as got:
                    return got.status == 200
            except aiohttp.ClientError:
                return False

        await eventually(healthy, "NATS is healthy")


@contextmanager
def running(image: Image, **settings: str) -> Iterator[tuple["subprocess.Popen[str]", dict[str, str]]]:
    """Run the entrypoint of the image; yield the process and the environment for its health check."""
    environment = AWAY | settings
    with image.start(*image.entrypoint, **environment) as process:
        try:
            yield process, environment
        finally:
            process.terminate()
            try:
                process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                for each in psutil.Process(process.pid).children(recursive=True):
                    each.kill()
                process.kill()


async def until_healthy(image: Image, process: "subprocess.Popen[str]", environment: dict[str, str]) -> None:
    """Run the health check of the image until it succeeds."""
    async with asyncio.timeout(60):
        while True:
            assert process.poll() is None, process.communicate()[0]
            with image.start(*image.healthcheck, **environment) as check:
                check.communicate()
            if check.returncode == 0:
                return
            await asyncio.sleep(0.1)


def imported(*places: str) -> set[str]:
    """Return the third-party packages that these files import, at any level."""
    paths = [
        path for place in places for path in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))
    ]
    nodes = [node for path in paths for node in ast.walk(ast.parse(path.read_text()))]
    modules = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    modules += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return (
        {module.split(".")[0] for module in modules}
        - sys.stdlib_module_names
        - {"gateway", "shared", "worker", "deploy"}
    )


SECRETS = (".env", ".env.local", "deploy/containers/.env", "gateway/.env", ".git/config", "uv.lock", ".venv/bin/python")


@pytest.mark.parametrize("secret", SECRETS)
def test_the_build_context_has_no_secrets_and_no_local_files(tmp_path: Path, secret: str) -> None:
    for file in (secret, "gateway/main.py", "clients/python/.env", "clients/swift/Package.swift"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("x")
    (tmp_path / ".dockerignore").write_text((ROOT / ".dockerignore").read_text())
    assert build_context(tmp_path) == [".dockerignore", "gateway/main.py"]
