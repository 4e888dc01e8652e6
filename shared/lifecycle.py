"""Being told to stop."""

import asyncio
import signal


async def stop_signal() -> None:
    """Return at the first SIGTERM or SIGINT. A second one ends the process as it always would."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def stop() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await stopped.wait()
