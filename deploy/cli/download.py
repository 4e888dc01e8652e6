"""`musicgen download`: saves the files of a finished job."""

from rich.console import Console

from deploy.cli.arguments import UsageError
from deploy.cli.file_names import format_of
from deploy.cli.finished_job import read_job
from deploy.cli.gateway_client import GatewayError, GatewayTarget, gateway_session
from deploy.cli.request import command_for
from deploy.cli.saving import Saving, save, save_files
from deploy.cli.signals import until_signal
from deploy.terminal import Terminal
from shared.errors import MusicgenError
from shared.files import audio_url

BUNDLE = "bundle.zip"


async def download(target: GatewayTarget, job_id: str, saving: Saving, *, bundle: bool) -> int:
    """Save the audio of a job and its outputs, or its bundle. Signals interrupt it and leave no file.

    Returns:
        The exit code: 0, or 128 plus the signal number.

    Raises:
        MusicgenError: if the job has no such files, or they cannot be written.
    """
    if bundle and (saving.stems or saving.midi):
        raise UsageError("The bundle contains stems and MIDI. Omit --stems and --midi, or --bundle.")
    if not bundle:
        format_of(saving.output)
    return await until_signal(_download(target, job_id, saving, bundle, Terminal(stderr=True)))


async def _download(target: GatewayTarget, job_id: str, saving: Saving, bundle: bool, console: Console) -> None:
    async with gateway_session(target) as session:
        job = await read_job(session, job_id)
        chosen = None if bundle else format_of(saving.output)
        if chosen and job.format and chosen != job.format:
            raise MusicgenError(f"The audio of {job.job_id} is {job.format}. Choose such an ending for -o.")
        destination = saving.open(job.file_size or 0)
        try:
            if bundle:
                name = job.audio_name.rpartition(".")[0] + ".zip"
                await save(session, f"{audio_url(job_id)}/{BUNDLE}", destination, name, console)
            else:
                await save_files(session, job, destination, saving, console)
        except GatewayError as error:
            raise _with_command(error) from error
        finally:
            destination.close()


def _with_command(error: GatewayError) -> MusicgenError:
    """Expired audio comes with its recipe: tell the command that makes it again."""
    recipe = error.problem.get("recipe")
    if not isinstance(recipe, dict):
        return error
    what = str(error).partition(". POST")[0]
    return MusicgenError(f"{what}. Make it again:\n{command_for(recipe)}")
