"""Waiting for the model: `musicgen up` shows what the workers say of it."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
from rich.console import Console

from deploy.terminal import literal


async def until_loaded(url: str, headers: Mapping[str, str], console: Console) -> bool:
    """Show what the workers say until one is ready, or none can be; returns whether one is.

    Args:
        url: of the gateway, which hears the workers.
        headers: that the gateway wants with each request.
        console: where it is shown.
    """
    started, shown = time.monotonic(), ""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5), headers=headers) as session:
        while True:
            workers = await _workers(session, url)
            states = {worker["state"] for worker in workers}
            if "ready" in states:
                console.print(
                    f"  [green]✓[/] model     {literal(_serving(workers))} [dim]({time.monotonic() - started:.1f} s)[/]"
                )
                return True
            if states == {"failed"}:
                worker = workers[0]
                console.print(f"  [red]✗[/] model     {literal(worker['message'])}\n    {literal(worker['remedy'])}")
                return False
            text = workers[0]["message"] if workers else "Starting the engine"
            if text != shown:
                shown = text
                console.print(f"  [dim]· model     {literal(text)} …[/]")
            await asyncio.sleep(0.2)


async def _workers(session: aiohttp.ClientSession, url: str) -> list[dict[str, Any]]:
    try:
        async with session.get(f"{url}/health") as response:
            workers: list[dict[str, Any]] = (await response.json())["workers"]
            return workers
    except (aiohttp.ClientError, TimeoutError):
        return []  # the gateway is being restarted


def _serving(workers: list[dict[str, Any]]) -> str:
    ready = next(worker for worker in workers if worker["state"] == "ready")
    return f"{ready['model']} on {ready['device']}, {ready['slots']} at a time in each worker"
