"""Builds an image without a container engine: copies and steps of its Dockerfile, done in a folder."""

import json
import os
import re
import shlex
import shutil
import string
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from docker.utils.build import exclude_paths
from dockerfile_parse import DockerfileParser

from tests.conftest import ROOT

# The cache is on the same file system here, and a test needs no bytecode: seconds in place of minutes.
QUICK = {"UV_LINK_MODE": "hardlink", "UV_COMPILE_BYTECODE": "0"}

# The image's own Python is the one that runs this, and the first that is found.
PATH = os.pathsep.join((str(Path(sys.base_prefix) / "bin"), os.environ["PATH"]))

# Steps of a system that is not here: they need root and Debian. Every other step runs.
OF_THE_SYSTEM = ("useradd ", "apt-get ")


def build_context(root: Path) -> list[str]:
    """The files that Docker sends to a build: what `.dockerignore` leaves, relative to `root`."""
    patterns = [line for line in (root / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    return sorted(path for path in exclude_paths(str(root), patterns) if (root / path).is_file())


class BuildFailedError(Exception):
    """A step of a Dockerfile failed."""


@dataclass
class Stage:
    """One stage of a build; `root` stands for its file system."""

    root: Path
    workdir: str = "/"
    environment: dict[str, str] = field(default_factory=dict)

    def path(self, inside: str | Path) -> Path:
        """Where a path of the image is on this machine."""
        return self.root / os.path.normpath(Path(self.workdir, inside)).lstrip("/")


@dataclass
class Image:
    """What a build has made: the environment is that of the last stage."""

    prefix: Path
    environment: dict[str, str]
    entrypoint: list[str]
    healthcheck: list[str]

    def start(self, *command: str, **environment: str) -> "subprocess.Popen[str]":
        """Run a command as the container does, with nothing of this environment but what names its own folders."""
        program, *arguments = command
        return subprocess.Popen(
            [str(self.prefix / "bin" / program), *arguments],
            env=self.environment | {"HOME": str(self.prefix)} | environment,
            cwd=self.prefix,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *command: str, **environment: str) -> str:
        """What a command prints; an error if it fails."""
        with self.start(*command, **environment) as process:
            output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        return output


class Build:
    """One build of a Dockerfile below `folder`."""

    def __init__(self, dockerfile: Path, folder: Path, *, offline: bool) -> None:
        self._folder = folder
        self._offline = offline
        self._context = build_context(ROOT)
        self._stages: dict[str, Stage] = {}
        self._stage = Stage(folder)
        self._last: dict[str, str] = {}
        with dockerfile.open("rb") as file:
            self._steps = [(step["instruction"], step["value"]) for step in DockerfileParser(fileobj=file).structure]

    def run(self) -> Image:
        """Do every step.

        Raises:
            BuildFailedError: at the first one that fails.
        """
        for instruction, value in self._steps:
            match instruction:
                case "FROM":
                    self._begin(value)
                case "WORKDIR":
                    self._stage.workdir = value
                    self._stage.path(".").mkdir(parents=True, exist_ok=True)
                case "ENV":
                    self._stage.environment |= dict(each.split("=", 1) for each in shlex.split(value))
                case "COPY":
                    self._copy(*shlex.split(value))
                case "RUN":
                    self._execute(value)
                case _:
                    self._last[instruction] = value
        prefix = next(stage for stage in self._stages.values() if stage.path("/opt/musicgen").is_dir())
        return Image(
            prefix=prefix.path("/opt/musicgen"),
            environment=self._stage.environment | {"PATH": f"{prefix.path('/opt/musicgen/bin')}:/usr/bin:/bin"},
            entrypoint=json.loads(self._last["ENTRYPOINT"]),
            healthcheck=json.loads(self._last["HEALTHCHECK"].partition("CMD")[2]),
        )

    def _begin(self, value: str) -> None:
        name = value.rpartition(" AS ")[2] if " AS " in value else "final"
        self._stage = self._stages[name] = Stage(self._folder / name)
        self._stage.root.mkdir(parents=True)

    def _copy(self, *words: str) -> None:
        *sources, destination = (word for word in words if not word.startswith("--"))
        origin = next((word.partition("=")[2] for word in words if word.startswith("--from=")), None)
        if origin is None:
            for source in sources:
                self._copy_from_context(source, destination)
        elif origin == "uv":
            pass  # the uv of this machine does
        elif sources != [destination] or not self._stages[origin].path(destination).exists():
            # A virtual environment holds its own path: elsewhere its commands would not start.
            raise BuildFailedError(f"COPY {words}: {sources} of stage {origin} is not there, or is moved")

    def _copy_from_context(self, source: str, destination: str) -> None:
        files = [file for file in self._context if file == source or file.startswith(f"{source}/")]
        if not files:
            raise BuildFailedError(f"COPY {source}: there is no such file in the build context")
        for file in files:
            # A folder's content goes into the destination, a file into the folder that ends with a slash.
            name = os.path.relpath(file, source) if file != source else Path(file).name
            to_folder = file != source or destination.endswith("/")
            target = self._stage.path(Path(destination, name) if to_folder else destination)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, target)

    def _execute(self, value: str) -> None:
        command = re.sub(r"^(--\S+\s+)*", "", value)
        if command.startswith(OF_THE_SYSTEM):
            return
        ours = {name: text for name, text in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
        ours["PATH"] = PATH
        theirs = {
            name: str(self._stage.path(text)) if text.startswith("/") else string.Template(text).safe_substitute(ours)
            for name, text in self._stage.environment.items()
        }
        environment = ours | theirs | QUICK | ({"UV_OFFLINE": "1"} if self._offline else {})
        done = subprocess.run(
            ["/bin/sh", "-c", command], cwd=self._stage.path("."), env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise BuildFailedError(f"RUN {command}\n{done.stdout}{done.stderr}")


def build_image(dockerfile: Path, folder: Path) -> Image:
    """Build an image from uv's cache if that has all of it, and from the package index otherwise."""
    if shutil.which("uv") is None:
        pytest.fail("uv is missing: the images are built with it. See https://docs.astral.sh/uv/.")
    try:
        return Build(dockerfile, folder / "offline", offline=True).run()
    except BuildFailedError:
        return Build(dockerfile, folder / "online", offline=False).run()
