"""Saves the files of a job: the audio at its destination, and the outputs beside it."""

import argparse
from pathlib import Path
from typing import NamedTuple

import aiohttp
from rich.console import Console

from deploy.cli.arguments import UsageError
from deploy.cli.destination import STANDARD_OUTPUT, Destination, FileDestination, PipeDestination, open_destination
from deploy.cli.file_names import beside
from deploy.cli.finished_job import FinishedJob, JobFile
from deploy.cli.gateway_client import read_json
from deploy.terminal import literal
from shared.errors import MusicgenError
from shared.files import audio_url

CHUNK = 256 * 1024
# A download fails after this many seconds without data.
DOWNLOAD_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=5, sock_read=60)


class Saving(NamedTuple):
    """What to save besides the audio, and where.

    Attributes:
        output: as -o gives it; None is the current folder.
        force: whether existing files are overwritten.
        stems: whether to save the stems.
        midi: whether to save the MIDI file.
    """

    output: str | None = None
    force: bool = False
    stems: bool = False
    midi: bool = False

    def of_takes(self, count: int) -> "list[Saving]":
        """One for each of several takes: house.wav becomes house_1.wav, house_2.wav.

        Raises:
            UsageError: if the output has no place for several files.
        """
        output = self.output
        if count == 1 or not output or output.endswith("/") or Path(output).is_dir():
            return [self] * count  # the gateway names the files, or `open` raises
        path = Path(output)
        if output == STANDARD_OUTPUT or (path.exists() and not path.is_file()):
            raise UsageError("Several takes are several files: choose a file or a folder with -o.")
        return [self._replace(output=str(path.with_stem(f"{path.stem}_{number}"))) for number in range(1, count + 1)]

    def open(self, needed: int) -> Destination:
        """Open the destination of the audio, of which `needed` bytes are the least.

        Raises:
            MusicgenError: if it is not writable, or has no place for the outputs, or a file exists.
        """
        destination = open_destination(self.output, needed, force=self.force)
        try:
            self._check_place_of_outputs(destination)
        except BaseException:
            destination.close()
            raise
        return destination

    def _check_place_of_outputs(self, destination: Destination) -> None:
        if not (self.stems or self.midi):
            return
        if isinstance(destination, PipeDestination):
            raise UsageError("--stems and --midi are saved beside the audio. Choose a file or a folder with -o.")
        if self.midi and destination.target is not None:
            destination.refuse_existing(beside(destination.target, "audio.mid"))


def saving_options(options: argparse.Namespace) -> Saving:
    """What the user's options say about saving."""
    return Saving(options.output, options.force, options.stems, options.midi)


async def save_files(
    session: aiohttp.ClientSession, job: FinishedJob, destination: Destination, saving: Saving, console: Console
) -> None:
    """Save the audio and the requested outputs, and print where each is.

    Nothing is saved if a file exists or an output is missing, so that no half of a song is left behind.

    Raises:
        MusicgenError: if the job lacks a requested output, a file exists, a name is unsafe, or a transfer fails.
    """
    outputs = _wanted(job, saving)
    paths = [job.path_of(output) for output in outputs]
    if isinstance(destination, FileDestination):
        audio = destination.path_of(job.audio_name)
        for target in (audio, *(beside(audio, output.name) for output in outputs)):
            destination.refuse_existing(target)
    place = await save(session, audio_url(job.job_id), destination, job.audio_name, console)
    for output, path in zip(outputs, paths, strict=True):
        target = beside(Path(place), output.name)
        file = open_destination(str(target), output.size, force=saving.force)
        try:
            await save(session, path, file, target.name, console)
        finally:
            file.close()


def _wanted(job: FinishedJob, saving: Saving) -> list[JobFile]:
    """The outputs to save."""
    found = []
    for kind, is_wanted, name in (("midi", saving.midi, "MIDI file"), ("stem", saving.stems, "stems")):
        outputs = [output for output in job.outputs if output.kind == kind] if is_wanted else []
        if is_wanted and not outputs:
            raise MusicgenError(f"{job.job_id} has no {name}. Ask for them with the music: `generate --stems --midi`.")
        found += outputs
    return found


async def save(session: aiohttp.ClientSession, path: str, destination: Destination, name: str, console: Console) -> str:
    """Stream a file of the gateway to its destination; print and return where that is.

    Raises:
        GatewayError: if the gateway refuses the download.
        MusicgenError: if the transfer breaks off, or the destination refuses data.
    """
    async with session.get(path, params={"proxy": "1"}, timeout=DOWNLOAD_TIMEOUT) as response:
        if response.status != 200:
            await read_json(response)
            raise MusicgenError(f"The gateway answered {path} with {response.status} {response.reason} and no file.")
        try:
            async for chunk in response.content.iter_chunked(CHUNK):
                await destination.write(chunk)
        except aiohttp.ClientPayloadError as error:
            raise MusicgenError("The download was interrupted.") from error
    place = destination.finish(name)
    console.print(f"[green]✓[/] {literal(place)}")
    return place
