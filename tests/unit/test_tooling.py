"""What developers and the forge run: the files are valid, and name checks that exist."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT
from tests.images import build_context
from tests.unit.deploy.test_containers import run, tool

PACKAGES = ("gateway", "worker", "shared", "deploy")
FORGE = ROOT / ".github"
SCHEMAS = {
    FORGE / "workflows" / "ci.yml": "vendor.github-workflows",
    FORGE / "workflows" / "images.yml": "vendor.github-workflows",
    FORGE / "workflows" / "swift.yml": "vendor.github-workflows",
    FORGE / "workflows" / "wheels.yml": "vendor.github-workflows",
    FORGE / "dependabot.yml": "vendor.dependabot",
    FORGE / "ISSUE_TEMPLATE" / "bug.yml": "vendor.github-issue-forms",
    FORGE / "ISSUE_TEMPLATE" / "idea.yml": "vendor.github-issue-forms",
}


def load(path: Path) -> dict[str, Any]:
    return dict(YAML(typ="safe", pure=True).load(path))


def uv_runs(text: str) -> list[list[str]]:
    """The arguments of each `uv run` in a script."""
    return [line.split() for line in re.findall(r"^\s*uv run (.+)$", text, re.MULTILINE)]


@pytest.mark.parametrize(("path", "schema"), SCHEMAS.items(), ids=lambda value: getattr(value, "name", value))
def test_github_file_follows_its_schema(path: Path, schema: str) -> None:
    run(tool("check-jsonschema"), "--builtin-schema", schema, str(path))


def test_every_github_yaml_file_is_checked() -> None:
    assert set(FORGE.rglob("*.y*ml")) == set(SCHEMAS)


def steps_of(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_workflow_of_changes_runs_the_local_checks() -> None:
    steps = steps_of(load(FORGE / "workflows" / "ci.yml"))
    assert [step["run"] for step in steps if "run" in step] == ["bash .ci/run"]


@pytest.mark.parametrize("path", sorted((FORGE / "workflows").iterdir()), ids=lambda path: path.name)
def test_workflow_pins_its_actions_and_may_only_read(path: Path) -> None:
    workflow = load(path)
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"]) for step in steps_of(workflow) if "uses" in step)
    assert workflow["permissions"] == {"contents": "read"}


def check_name(arguments: list[str]) -> str:
    """`ruff check`, `ruff format` or the program's name."""
    return " ".join(arguments[:2]) if arguments[0] == "ruff" else arguments[0]


def test_pre_commit_runs_the_same_checks_as_ci() -> None:
    (repository,) = load(ROOT / ".pre-commit-config.yaml")["repos"]
    hooks = [check_name(arguments) for hook in repository["hooks"] for arguments in uv_runs(hook["entry"])]
    checks = [check_name(arguments) for arguments in uv_runs((ROOT / ".ci" / "run").read_text())]
    assert repository["repo"] == "local"
    assert [*hooks, "pytest"] == checks


def test_every_just_recipe_runs_a_command_that_exists() -> None:
    text = (ROOT / "justfile").read_text()
    recipes = set(re.findall(r"^(\w+)(?: \*\w+)?:$", text, re.MULTILINE))
    assert recipes >= {"setup", "test", "lint", "types", "bench", "up", "faults", "fuzz"}
    for program, *arguments in uv_runs(text):
        if program == "python":
            assert arguments[0] == "-m"
            assert find_spec(arguments[1]), arguments[1]
        else:
            assert tool(program)


@pytest.mark.parametrize("package", PACKAGES)
def test_package_tells_type_checkers_that_it_is_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").exists()


def test_images_get_nothing_of_the_development_tooling() -> None:
    context = build_context(ROOT)
    roots = {path.split("/")[0] for path in context}
    assert roots == {".dockerignore", "pyproject.toml", "README.md", "LICENSE", "nats.conf", "clients", *PACKAGES}
    client = {path for path in context if path.startswith("clients/")}
    assert {str(Path(path).parent) for path in client} == {"clients/python/musicgen_client"}
