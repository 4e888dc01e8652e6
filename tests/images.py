"""Builds an image without a container engine, by executing its Dockerfile in a folder."""

import functools
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

# The cache is on the same file system, and tests need no bytecode; this saves minutes.
QUICK = {"UV_LINK_MODE": "hardlink", "UV_COMPILE_BYTECODE": "0"}

# Puts the Python that runs the tests first, in place of the one of the image.
PATH = os.pathsep.join((str(Path(sys.base_prefix) / "bin"), os.environ["PATH"]))

# Skipped steps, which need root and Debian. All others run.
SKIPPED_COMMANDS = ("useradd ", "apt-get ")

# A container's file system and rights, as compose.yaml sets them: read-only, with a /tmp in memory and a volume at the
# home directory; an unprivileged user without capabilities. A folder that this user could not enter on the way to
# Python is covered by an empty one. Arguments: the folders of Python, of the image and to cover, user, home, command.
_CONFINE = """
set -eu
python=$1 image=$2 covered=$3 user=$4 home=$5; shift 5
mount -t tmpfs tmpfs /mnt; mkdir /mnt/python /mnt/image
mount --bind "$python" /mnt/python; mount --bind "$image" /mnt/image
mount -t tmpfs -o mode=1777 tmpfs /tmp
[ -z "$covered" ] || mount -t tmpfs -o mode=755 tmpfs "$covered"
mkdir -p "$python" "$image"
mount --bind /mnt/python "$python"; mount --bind /mnt/image "$image"; mount -o remount,ro,bind "$image"
mount -t tmpfs -o mode=755 tmpfs "$(dirname "$home")"; mkdir "$home"; chown "$user:$user" "$home"
mount -o remount,ro,bind /
cd "$home"
exec setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""


@functools.cache
def can_confine() -> bool:
    """Whether this process may mount file systems of its own, which needs Linux and root."""
    if shutil.which("unshare") is None or shutil.which("setpriv") is None:
        return False
    return subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False).returncode == 0


def build_context(root: Path) -> list[str]:
    """Return the files of the build context, relative to `root`: those that `.dockerignore` does not exclude."""
    patterns = [line for line in (root / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    return sorted(path for path in exclude_paths(str(root), patterns) if (root / path).is_file())


class BuildFailedError(Exception):
    """A step of a Dockerfile failed."""


@dataclass
class Stage:
    """One stage of a build, with `root` as its file system."""

    root: Path
    workdir: str = "/"
    environment: dict[str, str] = field(default_factory=dict)

    def path(self, inside: str | Path) -> Path:
        """Return the local path for a path in the image."""
        return self.root / os.path.normpath(Path(self.workdir, inside)).lstrip("/")


@dataclass
class Image:
    """The result of a build, with the environment of the last stage."""

    prefix: Path
    environment: dict[str, str]
    user: str
    home: str
    entrypoint: list[str]
    healthcheck: list[str]

    def start(self, *command: str, **environment: str) -> "subprocess.Popen[str]":
        """Start a command in the environment of the image, with its paths mapped to local ones.

        If possible, it is confined as by compose.yaml.
        """
        program, *arguments = command
        argv, home = [str(self.prefix / "bin" / program), *arguments], str(self.prefix)
        if can_confine():
            argv, home = [*self._confinement(), *argv], self.home
        return subprocess.Popen(
            argv,
            env=self.environment | {"HOME": home} | environment,
            cwd=self.prefix,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _confinement(self) -> list[str]:
        python = Path(sys.base_prefix)
        covered = next((str(each) for each in reversed(python.parents) if not each.stat().st_mode & 0o001), "")
        script = ["unshare", "--mount", "sh", "-c", _CONFINE, "sh"]
        return [*script, str(python), str(self.prefix), covered, self.user.partition(":")[0], self.home]

    def run(self, *command: str, **environment: str) -> str:
        """Run a command and return its output; fail if the command fails."""
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
        """Execute every instruction.

        Raises:
            BuildFailedError: if one fails.
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
            user=self._last["USER"],
            home=self._stage.workdir,
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
            pass  # use the local uv
        elif sources != [destination] or not self._stages[origin].path(destination).exists():
            # The commands of a virtual environment contain its path, so it must not move.
            raise BuildFailedError(f"COPY {words}: {sources} is missing in stage {origin}, or moves")

    def _copy_from_context(self, source: str, destination: str) -> None:
        files = [file for file in self._context if file == source or file.startswith(f"{source}/")]
        if not files:
            raise BuildFailedError(f"COPY {source}: there is no such file in the build context")
        for file in files:
            # As Docker does: copy the contents of a folder, and copy a file into a destination that ends with a slash.
            name = os.path.relpath(file, source) if file != source else Path(file).name
            to_folder = file != source or destination.endswith("/")
            target = self._stage.path(Path(destination, name) if to_folder else destination)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, target)

    def _execute(self, value: str) -> None:
        command = re.sub(r"^(--\S+\s+)*", "", value)
        if command.startswith(SKIPPED_COMMANDS):
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
    """Build an image from uv's cache alone if possible, otherwise with the package index."""
    if shutil.which("uv") is None:
        pytest.fail("uv is missing, and the image builds need it. Install it: https://docs.astral.sh/uv/.")
    try:
        return Build(dockerfile, folder / "offline", offline=True).run()
    except BuildFailedError:
        return Build(dockerfile, folder / "online", offline=False).run()
