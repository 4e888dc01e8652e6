"""`musicgen play`, `orchestrate`, `accompany` and `continue`: make music of a MIDI file, or of the score of a job."""

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.cli.arguments import UsageError, add_gateway_options, add_output_options
from shared.files import OUTPUT_KINDS
from shared.job_id import is_job_id

if TYPE_CHECKING:
    from musicgen_client import AsyncClient, AsyncJob

# Each command's help, and examples.
_COMMANDS = {
    "play": (
        "render a MIDI file note for note",
        """\
  musicgen play song.mid -o song.wav
  musicgen play song.mid --stems --loop
  musicgen play gen_abc123456789 --program organ=73 -o flute.flac
  musicgen play gen_abc123456789 --instruments drums""",
    ),
    "orchestrate": (
        "render the notes of a MIDI file with other instruments, or as another genre",
        """\
  musicgen orchestrate song.mid "string quartet"
  musicgen orchestrate song.mid "8-bit" --midi""",
    ),
    "accompany": (
        "keep the notes of a MIDI file, and compose the other instruments",
        """\
  musicgen accompany piano.mid "double bass and brushed drums"
  musicgen accompany song.mid "house" --instruments "part 1" --stems""",
    ),
    "continue": (
        "compose what follows a MIDI file",
        """\
  musicgen continue idea.mid --bars 16
  musicgen continue idea.mid "calm, with strings" --seed 7""",
    ),
}


def add_score_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands for scores."""
    for name, (text, examples) in _COMMANDS.items():
        parser = commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}. Ctrl-C cancels the job.",
            epilog=f"examples:\n{examples}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("source", metavar="FILE or JOB", help="a MIDI file, or a job that has a score")
        if name != "play":
            _add_prompt(parser, is_needed=name == "orchestrate")
        if name == "continue":
            parser.add_argument("--bars", type=int, help="length of the whole (default: 8 bars more than the file)")
        _add_parts(parser, name)
        parser.add_argument("--loop", action="store_true", help="the end continues at the start")
        parser.add_argument("--title", help="title in the file, and in its name")
        add_output_options(parser.add_argument_group("file"))
        add_gateway_options(parser)
        parser.set_defaults(run=_run, action=name)


def _add_prompt(parser: argparse.ArgumentParser, *, is_needed: bool) -> None:
    nargs = None if is_needed else "?"
    parser.add_argument("prompt", metavar="PROMPT", nargs=nargs, help="the instruments or the genre, in words")
    parser.add_argument("--seed", type=int, help="the same seed makes the same music (default: random)")
    if not is_needed:
        parser.add_argument("--key", help='of what is composed, such as "A minor" (default: that of the notes)')


def _add_parts(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument(
        "--program",
        action="append",
        type=program,
        default=[],
        metavar="NAME=N",
        help='another General MIDI program, from 0, for an instrument, such as organ=73; a file has "part 1" and so on',
    )
    what = "the parts that stay" if name == "accompany" else "only these"
    parser.add_argument("--instruments", metavar="NAMES", help=f"{what}, such as drums,piano (default: all)")


def program(text: str) -> tuple[str, int]:
    """An instrument and its program."""
    name, _, number = text.rpartition("=")
    if not name.strip() or not number.isdecimal() or int(number) > 127:
        raise argparse.ArgumentTypeError(f"{text!r} is no program; write organ=73, with a number from 0 to 127")
    return name.strip(), int(number)


def score_body(options: argparse.Namespace) -> dict[str, Any]:
    """The body of the request; the id of an uploaded file is still missing.

    Raises:
        UsageError: for empty names of instruments.
    """
    from deploy.cli.file_names import format_of

    score: dict[str, Any] = {"job_id": options.source} if is_job_id(options.source) else {}
    if options.action != "play":
        score["as"] = options.action
    if options.program:
        score["programs"] = dict(options.program)
    if options.instruments is not None:
        score["instruments"] = [name.strip() for name in options.instruments.split(",")]
        if not all(score["instruments"]):
            raise UsageError("Separate the names of --instruments by single commas: drums,piano.")
    chosen = {
        "prompt": getattr(options, "prompt", None),
        "bars": getattr(options, "bars", None),
        "key": getattr(options, "key", None),
        "loop": options.loop or None,
        "seed": getattr(options, "seed", None),
        "title": options.title,
        "format": format_of(options.output),
        "outputs": [kind for kind in OUTPUT_KINDS if getattr(options, kind)] or None,
    }
    return {"score": score} | {name: value for name, value in chosen.items() if value is not None}


def _run(options: argparse.Namespace) -> int:
    from deploy.cli.gateway_client import target_of
    from deploy.cli.generate import generate
    from deploy.cli.saving import saving_options

    if not is_job_id(options.source) and not Path(options.source).is_file():
        raise UsageError(f"{options.source!r} is neither a file nor a job id. `musicgen jobs` lists jobs.")

    async def send(client: "AsyncClient", *, score: dict[str, Any], **fields: Any) -> "AsyncJob":
        if "job_id" not in score:
            score = score | {"audio_id": await client.upload(options.source)}
        return await client.generate(score=score, **fields)

    return asyncio.run(generate(target_of(options), score_body(options), saving_options(options), send))
