"""Runs children in order, restarts those that die, and stops all in the reverse order."""

import asyncio
import time
from pathlib import Path

from rich.console import Console

from deploy.stack.child import Child, ChildFailedError, ChildSpec, PortTakenError
from deploy.stack.data_folder import LOG_FOLDER, RUN_FILE, write_run_file
from deploy.terminal import NEWLINE, literal, plain
from shared.lifecycle import end

# Seconds before the next start after a death; the last one repeats. A child that lived for STABLE_AFTER starts anew.
RESTART_DELAYS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
STABLE_AFTER = 60.0
# How often a child may find a port taken that was free when it was chosen.
PORT_TRIES = 5


class Supervisor:
    """The children of one `up`. `console` gets a line for each thing that a person should know."""

    def __init__(self, data_dir: Path, console: Console) -> None:
        self._data_dir = data_dir
        self._log_dir = data_dir / LOG_FOLDER
        self._log_dir.mkdir(exist_ok=True)
        self._console = console
        self._children: list[Child] = []
        self._watching: list[asyncio.Task[None]] = []
        self.force = asyncio.Event()

    async def start(self, *specs: ChildSpec) -> list[ChildSpec]:
        """Start children that do not need each other, wait until all answer, and keep them running from then on.

        Returns:
            The specs that they run by: a port that was taken in the meantime is another one there.

        Raises:
            ChildFailedError: if one does not get ready.
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
        """Wait until a child is ready, on other ports if another program took one of its own first."""
        for _ in range(PORT_TRIES):
            try:
                await child.wait_until_ready()
            except PortTakenError as error:
                if child.spec.with_other_ports is None:
                    raise
                said = f"  ! {str(error).splitlines()[0]}; it starts on another one"
                self._console.print(said, markup=False, soft_wrap=True)
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
        """End all children, the last one started first: nobody loses what it still needs."""
        await end(self._watching)
        for child in reversed(self._children):
            killed = await child.stop(force=self.force)
            self._console.print(f"  [dim]{'killed' if killed else 'stopped'} {child.spec.name}[/]")
        (self._data_dir / RUN_FILE).unlink(missing_ok=True)

    async def _keep_running(self, child: Child) -> None:
        deaths = 0
        while True:
            born = time.monotonic()
            why = await self._wait_until_down(child)
            deaths = 0 if time.monotonic() - born > STABLE_AFTER else deaths
            delay = RESTART_DELAYS[min(deaths, len(RESTART_DELAYS) - 1)]
            deaths += 1
            self._console.print(
                f"  [yellow]![/] {child.spec.name} {why}; it starts again in {delay:g} s. "
                f"Log: {literal(child.log_file)}",
                soft_wrap=True,
            )
            self._write_run_file()
            await asyncio.sleep(delay)
            await self._restart(child)

    async def _wait_until_down(self, child: Child) -> str:
        """Return when a child has ended, by itself or because it hung; says why."""
        over = asyncio.create_task(child.wait()), asyncio.create_task(child.wait_until_hung())
        try:
            await asyncio.wait(over, return_when=asyncio.FIRST_COMPLETED)
            if child.exit_code is not None:
                return f"ended ({_describe_exit(child.exit_code)})"
            self._console.print(f"  [yellow]![/] {child.spec.name} does not answer and is being stopped")
            killed = await child.stop(force=self.force)
            return "hung and was killed" if killed else "hung and was stopped"
        finally:
            await end(over)

    async def _restart(self, child: Child) -> None:
        try:
            await child.start()
            self._write_run_file()
            await child.wait_until_ready()
        except (ChildFailedError, OSError) as error:
            self._console.print(f"  ✗ {plain(str(error), keep=NEWLINE)}", markup=False, soft_wrap=True)
            # Alive without answering helps nobody: its end starts it again.
            await child.stop(force=self.force)
        else:
            self._console.print(f"  [green]✓[/] {child.spec.name} is back")

    def _write_run_file(self) -> None:
        found = [child.run_file_entry() for child in self._children]
        write_run_file(self._data_dir, [each for each in found if each])


def _describe_exit(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
