"""`musicgen download`: saves the files of a finished job."""

from deploy.cli.arguments import UsageError
from deploy.cli.file_names import FORMATS, ending_of, format_of
from deploy.cli.finished_job import read_job
from deploy.cli.gateway_client import GatewayError, GatewayTarget, gateway_session
from deploy.cli.request import command_for
from deploy.cli.saving import Saving, save, save_files
from deploy.cli.signals import until_signal
from deploy.terminal import Terminal
from shared.errors import MusicgenError
from shared.files import AudioFormat, audio_url

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
    if bundle and saving.output and ending_of(saving.output) in FORMATS:
        raise UsageError(f"The bundle is a ZIP file, which does not fit {saving.output}. Choose the ending zip for -o.")
    chosen = None if bundle else format_of(saving.output)
    return await until_signal(_download(target, job_id, saving, chosen, bundle=bundle))


async def _download(
    target: GatewayTarget, job_id: str, saving: Saving, chosen: AudioFormat | None, *, bundle: bool
) -> None:
    console = Terminal(stderr=True)
    async with gateway_session(target) as session:
        job = await read_job(session, job_id)
        stored = job.format or "wav"
        if chosen not in (None, stored):
            raise MusicgenError(f"The audio of {job.job_id} is {stored}. Choose such an ending for -o.")
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
