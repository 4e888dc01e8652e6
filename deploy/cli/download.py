"""`musicgen download`: saves the files of a finished job."""

from pathlib import Path

from musicgen_client.job import BUNDLE

from deploy.cli.arguments import UsageError
from deploy.cli.file_names import FORMATS, ending_of, format_of
from deploy.cli.finished_job import audio_name, read_job, stored_format
from deploy.cli.gateway_client import GatewayTarget, gateway_client
from deploy.cli.saving import Saving, save, save_files
from deploy.cli.signals import until_signal
from deploy.terminal import Terminal
from shared.errors import MusicgenError
from shared.files import AudioFormat
from shared.job_id import is_job_id


async def download(target: GatewayTarget, job_id: str, saving: Saving, *, bundle: bool) -> int:
    """Save the audio of a job and its outputs, or its bundle. Signals interrupt it and leave no file.

    Returns:
        The exit code: 0, or 128 plus the signal number.

    Raises:
        MusicgenError: if the job has no such files, or they cannot be written.
    """
    if bundle and (saving.stems or saving.midi):
        raise UsageError("The bundle contains stems and MIDI. Omit --stems and --midi, or --bundle.")
    if bundle and saving.output and ending_of(saving.output) in FORMATS:
        raise UsageError(f"The bundle is a ZIP file, which does not fit {saving.output}. Choose the ending zip for -o.")
    chosen = None if bundle else format_of(saving.output)
    return await until_signal(_download(target, job_id, saving, chosen, bundle=bundle))


async def _download(
    target: GatewayTarget, job_id: str, saving: Saving, chosen: AudioFormat | None, *, bundle: bool
) -> None:
    if not is_job_id(job_id):
        raise MusicgenError(f"{job_id!r} is not a job id. List the jobs with `musicgen jobs`.")
    console = Terminal(stderr=True)
    async with gateway_client(target) as client:
        job = client.job(job_id)
        view = await read_job(job)
        if chosen not in (None, stored_format(view)):
            raise MusicgenError(f"The audio of {job_id} is {stored_format(view)}. Choose such an ending for -o.")
        destination = saving.open(view.file_size or 0)
        try:
            if bundle:
                await save(job, BUNDLE, destination, Path(audio_name(view)).stem + ".zip", console)
            else:
                await save_files(job, view, destination, saving, console)
        finally:
            destination.close()
