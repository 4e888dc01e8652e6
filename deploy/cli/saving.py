"""Saves the files of a job: the audio at its destination, and the outputs beside it."""

import argparse
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple

from musicgen_client import AsyncJob, JobView, OutputLink
from rich.console import Console

from deploy.cli.arguments import UsageError
from deploy.cli.destination import STANDARD_OUTPUT, Destination, FileDestination, PipeDestination, open_destination
from deploy.cli.file_names import beside
from deploy.cli.finished_job import audio_name, checked_name
from deploy.terminal import literal
from shared.errors import MusicgenError


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


async def save_files(job: AsyncJob, view: JobView, destination: Destination, saving: Saving, console: Console) -> None:
    """Save the audio and the requested outputs, and print where each is.

    Nothing is saved if a file exists or an output is missing, so that no half of a song is left behind.

    Raises:
        ClientError: if the gateway refuses a download, or it breaks off.
        MusicgenError: if the job lacks a requested output, a file exists, a name is unsafe, or a disk refuses data.
    """
    outputs = _wanted(view, saving)
    names = [checked_name(output) for output in outputs]
    if isinstance(destination, FileDestination):
        audio = destination.path_of(audio_name(view))
        for target in (audio, *(beside(audio, name) for name in names)):
            destination.refuse_existing(target)
    place = await save(job, None, destination, audio_name(view), console)
    for output, name in zip(outputs, names, strict=True):
        target = beside(Path(place), name)
        file = open_destination(str(target), output.size, force=saving.force)
        try:
            await save(job, name, file, target.name, console)
        finally:
            file.close()


def _wanted(view: JobView, saving: Saving) -> list[OutputLink]:
    """The outputs to save."""
    found = []
    for kind, is_wanted, name in (("midi", saving.midi, "MIDI file"), ("stem", saving.stems, "stems")):
        outputs = [output for output in view.outputs if output.kind == kind] if is_wanted else []
        if is_wanted and not outputs:
            raise MusicgenError(f"{view.job_id} has no {name}. Ask for them with the music: `generate --stems --midi`.")
        found += outputs
    return found


async def save(job: AsyncJob, file: str | None, destination: Destination, name: str, console: Console) -> str:
    """Stream a file of the job, or its audio, to a destination under a name; print and return where it is.

    Raises:
        ClientError: if the gateway refuses the download, it breaks off, or its bytes differ from the stored file.
        MusicgenError: if the destination refuses data.
    """
    async with aclosing(job.read(file)) as chunks:
        async for chunk in chunks:
            await destination.write(chunk)
    place = destination.finish(name)
    console.print(f"[green]✓[/] {literal(place)}")
    return place
