"""Starts children in order, restarts those that die or hang, and stops all in reverse order."""

import asyncio
import time
from pathlib import Path

from rich.console import Console

from deploy.stack.child import Child, ChildFailedError, ChildSpec, PortTakenError
from deploy.stack.data_folder import LOG_FOLDER, RUN_FILE, write_run_file
from deploy.terminal import NEWLINE, literal, plain
from shared.lifecycle import end

# Seconds to wait before each restart; the last value repeats. After STABLE_AFTER seconds of life the count is reset.
RESTART_DELAYS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
STABLE_AFTER = 60.0
# How often a child may be moved to other ports because another program took one.
PORT_TRIES = 5


class Supervisor:
    """The children of one `up`. Starts, failures and restarts are printed on `console`."""

    def __init__(self, data_dir: Path, console: Console) -> None:
        self._data_dir = data_dir
        self._log_dir = data_dir / LOG_FOLDER
        self._log_dir.mkdir(exist_ok=True)
        self._console = console
        self._children: list[Child] = []
        self._watching: list[asyncio.Task[None]] = []
        self.force = asyncio.Event()

    async def start(self, *specs: ChildSpec) -> list[ChildSpec]:
        """Start children that do not depend on each other, wait until all are ready, and keep them running.

        Returns:
            The final specs, in which ports that were taken in the meantime are replaced.

        Raises:
            ChildFailedError: if one does not become ready.
        """
        started = time.monotonic()
        children = [await self._spawn(spec) for spec in specs]
        for child in children:
            await self._wait_until_ready(child)
            self._console.print(
                f"  [green]✓[/] {child.spec.name:<9} {' '.join(child.spec.urls)} "
                f"[dim]({time.monotonic() - started:.1f} s)[/]"
            )
            self._watching.append(asyncio.create_task(self._keep_running(child)))
        return [child.spec for child in children]

    async def _wait_until_ready(self, child: Child) -> None:
        """Wait until a child is ready; move it to other ports if another program took one of them."""
        for _ in range(PORT_TRIES):
            try:
                await child.wait_until_ready()
            except PortTakenError as error:
                if child.spec.with_other_ports is None:
                    raise
                line = f"  ! {str(error).splitlines()[0]}; trying another one"
                self._console.print(line, markup=False, soft_wrap=True)
                await child.stop(force=self.force)
                child.spec = child.spec.with_other_ports()
                await child.start()
                self._write_run_file()
            else:
                return
        await child.wait_until_ready()

    async def _spawn(self, spec: ChildSpec) -> Child:
        child = Child(spec, self._log_dir)
        child.log_file.unlink(missing_ok=True)
        self._children.append(child)
        await child.start()
        self._write_run_file()
        return child

    async def stop(self) -> None:
        """Stop all children in reverse order, so that each keeps the servers that it depends on."""
        await end(self._watching)
        for child in reversed(self._children):
            killed = await child.stop(force=self.force)
            self._console.print(f"  [dim]{'killed' if killed else 'stopped'} {child.spec.name}[/]")
        (self._data_dir / RUN_FILE).unlink(missing_ok=True)

    async def _keep_running(self, child: Child) -> None:
        deaths = 0
        while True:
            started = time.monotonic()
            reason = await self._wait_until_down(child)
            deaths = 0 if time.monotonic() - started > STABLE_AFTER else deaths
            delay = RESTART_DELAYS[min(deaths, len(RESTART_DELAYS) - 1)]
            deaths += 1
            self._console.print(
                f"  [yellow]![/] {child.spec.name} {reason}; it starts again in {delay:g} s. "
                f"Log: {literal(child.log_file)}",
                soft_wrap=True,
            )
            self._write_run_file()
            await asyncio.sleep(delay)
            await self._restart(child)

    async def _wait_until_down(self, child: Child) -> str:
        """Wait until a child has exited, or was stopped because it hung; return the reason."""
        down = asyncio.create_task(child.wait()), asyncio.create_task(child.wait_until_hung())
        try:
            await asyncio.wait(down, return_when=asyncio.FIRST_COMPLETED)
            if child.exit_code is not None:
                return f"ended ({_describe_exit(child.exit_code)})"
            self._console.print(f"  [yellow]![/] {child.spec.name} does not answer and is being stopped")
            killed = await child.stop(force=self.force)
            return "hung and was killed" if killed else "hung and was stopped"
        finally:
            await end(down)

    async def _restart(self, child: Child) -> None:
        try:
            await child.start()
            self._write_run_file()
            await child.wait_until_ready()
        except (ChildFailedError, OSError) as error:
            self._console.print(f"  ✗ {plain(str(error), keep=NEWLINE)}", markup=False, soft_wrap=True)
            # Its end triggers the next restart.
            await child.stop(force=self.force)
        else:
            self._console.print(f"  [green]✓[/] {child.spec.name} is back")

    def _write_run_file(self) -> None:
        found = [child.run_file_entry() for child in self._children]
        write_run_file(self._data_dir, [each for each in found if each])


def _describe_exit(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
