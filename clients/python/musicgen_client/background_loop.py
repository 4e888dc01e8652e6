"""An event loop in a thread of its own, which runs asynchronous code for blocking callers."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator
from typing import Any, TypeVar

Value = TypeVar("Value")


class BackgroundLoop:
    """The loop and its thread. Any thread may call `run` and `iterate`."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="musicgen-client", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Value]) -> Value:
        """Wait for the coroutine and return its result. Ctrl-C cancels it."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def iterate(self, values: AsyncGenerator[Value, None]) -> Iterator[Value]:
        """Yield the values of an asynchronous generator, and close it at the end."""
        turn = asyncio.Lock()  # closing waits until a cancelled step has ended

        async def step() -> Value:
            async with turn:
                return await anext(values)

        async def finish() -> None:
            async with turn:
                await values.aclose()

        try:
            while True:
                try:
                    yield self.run(step())
                except StopAsyncIteration:
                    return
        finally:
            self.run(finish())

    def close(self) -> None:
        """Cancel what runs, stop the loop and end the thread; idempotent.

        Threads that wait in `run` or `iterate` get a CancelledError; without it they would wait forever.
        """
        if not self._loop.is_closed():
            self.run(_cancel_others())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
