"""`musicgen play`: renders a MIDI file, or the score of a job, with the instruments of the model."""

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.cli.arguments import UsageError, add_gateway_options, add_output_options
from shared.files import OUTPUT_KINDS
from shared.job_id import is_job_id

if TYPE_CHECKING:
    from musicgen_client import AsyncClient, AsyncJob

EXAMPLES = """\
examples:
  musicgen play song.mid -o song.wav
  musicgen play song.mid --stems --loop
  musicgen play gen_abc123456789 --program organ=73 -o flute.flac
  musicgen play gen_abc123456789 --instruments drums"""


def add_play_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add play."""
    parser = commands.add_parser(
        "play",
        help="render a MIDI file note for note",
        description="Render a MIDI file, or the score of a job, note for note. Ctrl-C cancels the job.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="FILE or JOB", help="a MIDI file, or a job that has a score")
    parser.add_argument(
        "--program",
        action="append",
        type=program,
        default=[],
        metavar="NAME=N",
        help='another General MIDI program, from 0, for an instrument, such as organ=73; a file has "part 1" and so on',
    )
    parser.add_argument("--instruments", metavar="NAMES", help="only these, such as drums,piano (default: all)")
    parser.add_argument("--loop", action="store_true", help="the end continues at the start")
    parser.add_argument("--title", help="title in the file, and in its name")
    add_output_options(parser.add_argument_group("file"))
    add_gateway_options(parser)
    parser.set_defaults(run=_play)


def program(text: str) -> tuple[str, int]:
    """An instrument and its program."""
    name, _, number = text.rpartition("=")
    if not name.strip() or not number.isdecimal() or int(number) > 127:
        raise argparse.ArgumentTypeError(f"{text!r} is no program; write organ=73, with a number from 0 to 127")
    return name.strip(), int(number)


def play_body(options: argparse.Namespace) -> dict[str, Any]:
    """The body of the request; the id of an uploaded file is still missing.

    Raises:
        UsageError: for empty names of instruments.
    """
    from deploy.cli.file_names import format_of

    score: dict[str, Any] = {"job_id": options.source} if is_job_id(options.source) else {}
    if options.program:
        score["programs"] = dict(options.program)
    if options.instruments is not None:
        score["instruments"] = [name.strip() for name in options.instruments.split(",")]
        if not all(score["instruments"]):
            raise UsageError("Separate the names of --instruments by single commas: drums,piano.")
    chosen = {
        "loop": options.loop,
        "title": options.title,
        "format": format_of(options.output),
        "outputs": [kind for kind in OUTPUT_KINDS if getattr(options, kind)],
    }
    return {"score": score} | {name: value for name, value in chosen.items() if value}


def _play(options: argparse.Namespace) -> int:
    from deploy.cli.gateway_client import target_of
    from deploy.cli.generate import generate
    from deploy.cli.saving import saving_options

    if not is_job_id(options.source) and not Path(options.source).is_file():
        raise UsageError(f"{options.source!r} is neither a file nor a job id. `musicgen jobs` lists jobs.")

    async def send(client: "AsyncClient", *, score: dict[str, Any], **fields: Any) -> "AsyncJob":
        if "job_id" not in score:
            score = score | {"audio_id": await client.upload(options.source)}
        return await client.generate(score=score, **fields)

    return asyncio.run(generate(target_of(options), play_body(options), saving_options(options), send))
