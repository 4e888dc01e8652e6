"""Checks of the container files without a container engine: schema, pins, names of settings, lint."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.nodes import SequenceNode

from gateway.access.bind_policy import check_host_header, is_loopback
from gateway.problems import Problem
from shared.settings import Settings, load_settings
from shared.trace_export import ENDPOINTS

ROOT = Path(__file__).resolve().parents[3]
CONTAINERS = ROOT / "deploy" / "containers"
COMPOSE_FILES = (ROOT / "compose.yaml", CONTAINERS / "compose.production.yaml")
DOCKERFILES = tuple(sorted(CONTAINERS.glob("*.Dockerfile")))

# A name, then a tag with a full version, then an optional digest; or a digest alone.
PINNED = re.compile(r"[\w./-]+:[\w.-]*\d+(\.\d+){2}[\w.-]*|[\w./-]+(:[\w.-]+)?@sha256:[0-9a-f]{64}")


class ComposeConstructor(SafeConstructor):
    """Reads YAML as Compose does: `!reset` clears a value of the base file."""


def _reset(constructor: SafeConstructor, node: SequenceNode) -> list[Any]:
    return list(constructor.construct_sequence(node))


ComposeConstructor.add_constructor("!reset", _reset)


def load(path: Path) -> dict[str, Any]:
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = ComposeConstructor
    return dict(yaml.load(path))


def tool(name: str) -> str:
    """Return the path of a program of this virtual environment, activated or not."""
    found = shutil.which(name, path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
    if not found:
        pytest.fail(f"{name} is missing. Install the dev dependencies with `uv sync`.")
    return found


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def environments() -> list[dict[str, str]]:
    """Return the environments of gateways and workers in both compose files."""
    services = [service for path in COMPOSE_FILES for service in load(path)["services"].items()]
    return [service["environment"] for name, service in services if name.startswith(("gateway", "worker"))]


@pytest.mark.parametrize("path", COMPOSE_FILES, ids=lambda path: path.name)
def test_compose_file_follows_the_official_schema(path: Path, tmp_path: Path) -> None:
    # The schema checker does not know `!reset`, so pass the file as JSON.
    plain = tmp_path / "compose.json"
    plain.write_text(json.dumps(load(path)))
    run(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(plain))


@pytest.mark.parametrize("path", COMPOSE_FILES, ids=lambda path: path.name)
def test_every_image_of_a_compose_file_is_pinned(path: Path) -> None:
    images = [service["image"] for service in load(path)["services"].values() if "image" in service]
    assert images
    assert [image for image in images if not PINNED.fullmatch(image)] == []


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_every_base_image_is_pinned(path: Path) -> None:
    images = re.findall(r"^FROM (\S+)", path.read_text(), re.MULTILINE)
    assert images
    assert [image for image in images if not PINNED.fullmatch(image)] == []


@pytest.mark.parametrize("image", ["redis", "redis:latest", "redis:7", "redis:7-alpine", "host:5000/redis"])
def test_an_image_without_a_full_version_does_not_count_as_pinned(image: str) -> None:
    assert not PINNED.fullmatch(image)


def test_gateway_and_worker_get_only_settings_that_exist() -> None:
    known = {field.encode_name for field in msgspec.structs.fields(Settings)} | set(ENDPOINTS)
    assert {name for environment in environments() for name in environment} - known == set()


def test_env_example_lists_exactly_the_variables_of_the_compose_files() -> None:
    used = {name for path in COMPOSE_FILES for name in re.findall(r"(?<!\$)\$\{(\w+)", path.read_text())}
    example = re.findall(r"^(\w+)=", (CONTAINERS / "env.example").read_text(), re.MULTILINE)
    assert sorted(example) == sorted(used)


def test_compose_sets_every_variable_of_nats_conf() -> None:
    settings = [line.partition("#")[0] for line in (ROOT / "nats.conf").read_text().splitlines()]
    used = set(re.findall(r'(?<!")\$([A-Z_]+)', "\n".join(settings)))
    assert used == set(load(ROOT / "compose.yaml")["services"]["nats"]["environment"])


def test_every_port_of_the_local_stack_is_published_on_loopback() -> None:
    ports = [port for service in load(ROOT / "compose.yaml")["services"].values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_production_publishes_only_the_proxy() -> None:
    local, production = (load(path)["services"] for path in COMPOSE_FILES)
    merged = {name: production.get(name, {}).get("ports", local.get(name, {}).get("ports", [])) for name in local}
    assert {name for name, ports in merged.items() if ports} == {"nats"}  # on loopback, for the operator
    assert production["proxy"]["ports"] == ["80:80", "443:443", "443:443/udp"]


def test_every_pruned_package_is_a_dependency_of_the_project() -> None:
    # uv ignores --prune for unknown names, so a typo would bring torch back unnoticed.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    dependencies = {re.split(r"[^\w-]", requirement, maxsplit=1)[0] for requirement in project["dependencies"]}
    pruned = set(re.findall(r"--prune (\S+)", (CONTAINERS / "gateway.Dockerfile").read_text()))
    assert {"torch", "audiocraft"} <= pruned <= dependencies


def test_the_gateway_runs_without_keys_only_behind_a_loopback_port() -> None:
    local, production = (load(path)["services"]["gateway"]["environment"] for path in COMPOSE_FILES)
    for environment in (local, local | production):
        values = {name: "" if "${" in str(value) else str(value) for name, value in environment.items()}
        settings = load_settings(values)
        assert not is_loopback(settings.gateway_host)
        assert settings.gateway_allow_open == (environment is local)
    assert production["API_KEYS"].startswith("${API_KEYS:?")


def gateway_settings(*files: Path, **given: str) -> Settings:
    """Return the gateway settings of these compose files, with variables replaced by `given` or their defaults."""
    environment = {name: str(text) for path in files for name, text in gateway_environment(path).items()}

    def value(match: re.Match[str]) -> str:
        return given.get(match["name"], match["default"] or "")

    variable = re.compile(r"\$\{(?P<name>\w+):(-(?P<default>[^}]*)|\?[^}]*)\}")
    return load_settings({name: variable.sub(value, text) for name, text in environment.items()})


def gateway_environment(path: Path) -> dict[str, str]:
    environment: dict[str, str] = load(path)["services"]["gateway"]["environment"]
    return environment


def answers_to(host: str, settings: Settings, *, keyed: bool) -> bool:
    try:
        check_host_header(host, settings, keyed=keyed)
    except Problem:
        return False
    return True


@pytest.mark.parametrize(
    ("host", "local", "production"),
    [
        ("localhost:8000", True, True),
        ("127.0.0.1:8000", True, True),
        ("gateway:8000", True, True),
        ("music.example.com", False, True),
        ("evil.example:8000", False, False),
    ],
)
def test_the_gateway_in_a_container_accepts_only_its_own_host_names(host: str, local: bool, production: bool) -> None:
    base, overlay = COMPOSE_FILES
    assert answers_to(host, gateway_settings(base), keyed=False) == local
    settings = gateway_settings(base, overlay, MUSICGEN_DOMAIN="music.example.com", S3_DOMAIN="audio.example.com")
    assert answers_to(host, settings, keyed=True) == production


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_dockerfile_passes_hadolint(path: Path) -> None:
    run(tool("hadolint"), str(path))


def test_the_worker_image_has_the_compiler_that_triton_needs() -> None:
    # `triton/runtime/build.py` calls gcc on a C file that includes headers of the C library.
    last_stage = (CONTAINERS / "worker.Dockerfile").read_text().rpartition("\nFROM ")[2]
    installed = re.search(r"apt-get install ([^&]+)", last_stage)
    assert installed is not None
    assert {"gcc", "libc6-dev"} <= set(installed[1].split())
