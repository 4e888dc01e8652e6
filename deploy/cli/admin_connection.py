"""The NATS connection of `musicgen admin`, with the operator's credentials."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats.errors
import nats.js.errors

from deploy.cli.env import exported_variables
from deploy.stack.data_folder import default_data_dir
from shared import subjects
from shared.bus import AWAY, Bus, open_bus
from shared.errors import MusicgenError, UnavailableError
from shared.lifecycle import end
from shared.logs import configure_logs
from shared.record_feed import STREAM
from shared.records import Records
from shared.settings import load_settings
from shared.topology import bucket_at

# Seconds to wait for NATS.
CONNECT_TIMEOUT = 10.0


def admin_environment(data_dir: Path | None) -> dict[str, str]:
    """Return the environment, completed with the credentials of a running `up`.

    Args:
        data_dir: the data folder of the `up`, whose values win over the environment. None means the default folder,
            whose values only fill in what the environment leaves unset.

    Raises:
        MusicgenError: if no `up` runs on `data_dir`.
    """
    if data_dir is not None:
        return dict(os.environ) | exported_variables(data_dir)
    try:
        return exported_variables(default_data_dir()) | dict(os.environ)
    except MusicgenError:
        return dict(os.environ)


@asynccontextmanager
async def connected_bus(environ: dict[str, str]) -> AsyncIterator[Bus]:
    """Connect a bus to NATS_URL.

    Raises:
        MusicgenError: if NATS_URL is unset, or NATS does not answer or refuses this user.
    """
    if not environ.get("NATS_URL"):
        raise MusicgenError(
            "Set NATS_URL, including the operator's password, or give the --data-dir of a running `up`."
        )
    configure_logs("error", "text", "admin")
    settings = load_settings({"NATS_URL": environ["NATS_URL"]})
    async with open_bus() as bus:
        connecting = asyncio.create_task(bus.run(settings.nats_url, "musicgen admin"))
        try:
            await _until_ready(bus, connecting)
            yield bus
        except UnavailableError as error:
            if "permissions violation" in (bus.last_error or "").lower():
                raise MusicgenError(
                    f"This NATS user lacks permission: {bus.last_error}. Use the operator's credentials."
                ) from error
            raise
        finally:
            await end((connecting,))


async def _until_ready(bus: Bus, connecting: asyncio.Task[None]) -> None:
    ready = asyncio.Event()

    async def on_connect() -> None:
        ready.set()

    bus.on_connect(on_connect)
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({waiting, connecting}, timeout=CONNECT_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
    await end((waiting,))
    if connecting.done() and not ready.is_set():
        try:
            connecting.result()
        except (nats.errors.Error, OSError) as error:
            raise MusicgenError(f"NATS is unreachable: {error}. Start it, or correct NATS_URL.") from error
    if not ready.is_set():
        raise MusicgenError(f"NATS does not answer: {bus.last_error}. Start it, or correct NATS_URL.")


async def open_records(bus: Bus) -> Records:
    """Open the existing bucket of records; it is never created here.

    Raises:
        MusicgenError: if there is no bucket.
        UnavailableError: if NATS does not answer.
    """
    try:
        await bus.js.stream_info(STREAM)
        return Records(bucket_at(bus.js, subjects.JOBS_BUCKET))
    except nats.js.errors.NotFoundError as error:
        raise MusicgenError(f"This NATS has no bucket {subjects.JOBS_BUCKET}. Correct NATS_URL.") from error
    except (nats.js.errors.APIError, *AWAY) as error:
        raise UnavailableError(f"The records cannot be read: {error!r}") from error
