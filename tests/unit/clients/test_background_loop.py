"""The event loop behind the blocking client."""

import asyncio
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest
from musicgen_client.background_loop import BackgroundLoop


def test_closing_ends_the_wait_of_another_thread() -> None:
    loop, has_begun = BackgroundLoop(), threading.Event()

    async def forever() -> None:
        has_begun.set()
        await asyncio.Event().wait()

    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(lambda: loop.run(forever()))
        assert has_begun.wait(10)
        loop.close()
        with pytest.raises(CancelledError):
            waiting.result(10)
    loop.close()  # again, which does nothing
