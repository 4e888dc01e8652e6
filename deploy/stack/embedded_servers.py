"""Specs of the embedded servers: nats-server and SeaweedFS, on loopback, with generated credentials."""

import asyncio
import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from msgspec.structs import replace

from deploy.stack.child import ChildSpec
from deploy.stack.credentials import Credentials, write_private
from deploy.stack.ports import LOOPBACK, free_port_pairs, free_ports
from shared.errors import MusicgenError, UnavailableError
from shared.settings import Settings
from shared.storage import Storage

# SeaweedFS components compute each other's gRPC port as the HTTP port plus this, whatever the options say.
GRPC_PORT_OFFSET = 10_000
S3_CONFIG_FILE = "s3.json"

_ROOT = Path(__file__).parents[2]


def nats_server(data_dir: Path, port: int, credentials: Credentials) -> ChildSpec:
    """Return nats-server with the repository's `nats.conf` and a store path relative to `cwd` (see `ChildSpec`)."""

    async def is_ready() -> bool:
        try:
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
        except OSError:
            return False
        try:
            return (await asyncio.wait_for(reader.readline(), 3)).startswith(b"INFO")
        except (OSError, TimeoutError):
            return False
        finally:
            writer.close()

    return ChildSpec(
        name="nats",
        role="nats",
        argv=[find_program("nats-server"), "-c", str(_nats_conf()), "-a", LOOPBACK, "-p", str(port)],
        env=_environment() | credentials.nats_environment() | {"NATS_STORE_DIR": "nats"},
        urls=[f"nats://{LOOPBACK}:{port}"],
        is_ready=is_ready,
        cwd=data_dir,
        ports=(port,),
        with_other_ports=lambda: nats_server(data_dir, free_ports(1)[0], credentials),
    )


def s3_server(data_dir: Path, port: int, credentials: Credentials, settings: Settings) -> ChildSpec:
    """Return SeaweedFS in one process. All of its many ports are set explicitly and bound to loopback."""
    endpoint, parts = f"http://{LOOPBACK}:{port}", _part_ports()
    (data_dir / "s3").mkdir(exist_ok=True)
    write_private(data_dir / S3_CONFIG_FILE, credentials.s3_configuration(settings.s3_bucket))
    return ChildSpec(
        name="s3",
        role="s3",
        argv=[
            find_program("weed"),
            "mini",
            "-dir=s3",
            f"-ip={LOOPBACK}",
            f"-ip.bind={LOOPBACK}",
            f"-s3.port={port}",
            *(f"-{part}={number}" for part, number in parts.items()),
            f"-s3.config={S3_CONFIG_FILE}",
            f"-bucket={settings.s3_bucket}",
            "-s3.autoCreateBucket=false",
            # Otherwise the filer serves every object over HTTP without a password.
            "-disableHttp",
            # Time for other servers to stop using this one; there are none.
            "-volume.preStopSeconds=0",
            "-webdav=false",
            "-admin.ui=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-master.telemetry=false",
            "-s3.localSocket=s3/s3.sock",
            "-filer.localSocket=s3/filer.sock",
        ],
        env=_environment(),
        urls=[endpoint],
        is_ready=_bucket_check(replace(settings, s3_endpoint=endpoint)),
        cwd=data_dir,
        # SeaweedFS either exits within 1.3 s or waits minutes for idle internal connections and maintenance. It no
        # longer serves by then, and a kill loses nothing: it hands a write to the kernel before it acknowledges it.
        grace=2.0,
        ports=(port, *parts.values()),
        with_other_ports=lambda: s3_server(data_dir, free_ports(1)[0], credentials, settings),
    )


def _part_ports() -> dict[str, int]:
    """Allocate a port for each SeaweedFS component; return them by option name."""
    components = ("master", "volume", "filer", "admin")
    pairs = dict(zip(components, free_port_pairs(len(components), GRPC_PORT_OFFSET), strict=True))
    ports = {f"{part}.port": http for part, (http, _) in pairs.items()}
    ports |= {f"{part}.port.grpc": grpc for part, (_, grpc) in pairs.items()}
    return ports | {"s3.port.grpc": free_ports(1)[0]}


def _bucket_check(settings: Settings) -> Callable[[], Awaitable[bool]]:
    storage = Storage(settings)

    async def is_ready() -> bool:
        try:
            await storage.check()
        except UnavailableError:
            return False
        return True

    return is_ready


def _environment() -> dict[str, str]:
    """Return the variables that a third-party program needs: no settings, no secrets."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}


def find_program(name: str) -> str:
    """Return the path of a program that is installed with the package.

    Raises:
        MusicgenError: if it is not installed.
    """
    bundled = Path(sys.executable).parent / name
    found = bundled if bundled.exists() else shutil.which(name)
    if found is None:
        raise MusicgenError(f"The program {name} is missing. Run `uv sync`, which installs it.")
    return str(Path(found).absolute())  # the child may run in another folder


def _nats_conf() -> Path:
    """Return nats.conf: from the repository root in a checkout, from this package in a wheel."""
    for file in (_ROOT / "nats.conf", _ROOT / "deploy" / "nats.conf"):
        if file.is_file():
            return file
    raise MusicgenError("nats.conf is missing from the installation. Reinstall the package.")
