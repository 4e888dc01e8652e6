"""Starts the engine process, connected by a socket pair, without the worker's secrets."""

import asyncio
import os
import re
import socket
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress

import psutil

# OpenMP threads spin for about 50 µs, then sleep. With the much longer default, each of a step's hundreds of waits can
# cost a scheduler time slice when another process, such as the gateway, needs a core. Without spinning, a step takes
# twice as long on an idle machine. See docs/performance.md.
ENGINE_ENVIRONMENT = {"GOMP_SPINCOUNT": "3000"}

# The worker's own credentials, and common names of secrets.
_SECRET_NAME = re.compile(
    r"NATS_|S3_|AWS_|OTEL_|API_KEYS|.*(PASSWORD|PASSWD|PASSPHRASE|SECRET|CREDENTIAL|(TOKEN|_PAT|API_?KEY|_KEY)\Z)"
)
_URL_WITH_PASSWORD = re.compile(r"://[^/@\s]+@")
# Private models need the hub's token, and a proxy may need a password.
_NEEDED = re.compile(r"HF_TOKEN|HUGGING_FACE_HUB_TOKEN|HUGGINGFACE_HUB_TOKEN|.*_PROXY")


def engine_environment(environ: Mapping[str, str], device: str = "auto") -> dict[str, str]:
    """The worker's environment without its secrets: an engine only downloads models and talks to the worker.

    All other variables stay, because drivers, libraries and third-party engines may need them. With a device such as
    cuda:1 the engine sees that GPU only, so that no library can take another one.
    """
    kept = {name: value for name, value in environ.items() if not _is_secret(name.upper(), value)}
    return ENGINE_ENVIRONMENT | kept | _visible_gpu(environ, device)


def _visible_gpu(environ: Mapping[str, str], device: str) -> dict[str, str]:
    """The variables of CUDA that leave one GPU visible: the device's among those that the worker sees."""
    number = device.partition(":")[2]
    if not number:
        return {}
    if "CUDA_VISIBLE_DEVICES" not in environ:
        # In the order of nvidia-smi.
        return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": number}
    visible = environ["CUDA_VISIBLE_DEVICES"].split(",")
    return {"CUDA_VISIBLE_DEVICES": visible[int(number)].strip() if int(number) < len(visible) else ""}


def _is_secret(name: str, value: str) -> bool:
    if _NEEDED.fullmatch(name):
        return False
    return bool(_SECRET_NAME.match(name) or _URL_WITH_PASSWORD.search(value))


def process_memory(pid: int) -> int:
    """The main memory of a process in bytes; 0 once it is gone."""
    with suppress(psutil.NoSuchProcess):
        return int(psutil.Process(pid).memory_info().rss)
    return 0


async def start_process(
    device: str = "auto",
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, asyncio.subprocess.Process]:
    """Start the engine process; returns its connection and the process, which ends when the connection closes."""
    ours, theirs = socket.socketpair()
    with theirs, ExitStack() as ours_open:
        ours_open.enter_context(ours)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "worker.engine.process", str(theirs.fileno()),
            stdin=asyncio.subprocess.DEVNULL, pass_fds=[theirs.fileno()], start_new_session=True,
            env=engine_environment(os.environ, device),
        )  # fmt: skip
        # If this fails or is cancelled, our end of the socket closes, and the process ends.
        reader, writer = await asyncio.open_connection(sock=ours)
        ours_open.pop_all()
        return reader, writer, process
