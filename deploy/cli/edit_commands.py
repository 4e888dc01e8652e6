"""The commands that make a take of another one: their options, and the calls that run them."""

import argparse
import asyncio
import re
from typing import TYPE_CHECKING, Any

from deploy.cli.arguments import UsageError, add_gateway_options, add_output_options, number, seconds
from shared.files import OUTPUT_KINDS

if TYPE_CHECKING:
    from deploy.cli.generate import Send

EXAMPLES = """\
examples:
  musicgen replace gen_abc123456789 --bars 5-8 --instruments drums -o second.wav
  musicgen replace gen_abc123456789 --seconds 8-12.5
  musicgen extend gen_abc123456789 --bars 8
  musicgen vary gen_abc123456789 --strength 0.3
  musicgen vary gen_abc123456789 --strength 0 --stems"""

_SECONDS = re.compile(r"(\d{1,5}(?:\.\d+)?)-(\d{1,5}(?:\.\d+)?)", re.ASCII)
_BARS = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?", re.ASCII)


def add_edit_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add replace, extend and vary."""
    replace = _command(commands, "replace", "replace a part of a take, of all or of some instruments")
    part = replace.add_mutually_exclusive_group(required=True)
    part.add_argument("--bars", type=bars, metavar="M-N", help="the bars to replace, such as 5-8 or 5")
    part.add_argument(
        "--seconds", type=part_in_seconds, metavar="A-B", help="the same of a take without a score, such as 8-12.5"
    )
    _instruments(replace)
    _prompt(replace)
    extend = _command(commands, "extend", "continue a take, or add bars in front of it")
    length = extend.add_mutually_exclusive_group(required=True)
    length.add_argument("--bars", type=int, metavar="N", help="how many bars to add")
    length.add_argument("--seconds", type=seconds, metavar="SECONDS", help="how many seconds to add")
    extend.add_argument("--at", choices=("start", "end"), help="where to add them (default: end)")
    _prompt(extend)
    vary = _command(commands, "vary", "compose a share of a take again")
    vary.add_argument("--strength", type=number, metavar="S", help="0 to 1: the share (default: 0.5)")
    _instruments(vary)


def bars(text: str) -> tuple[int, int]:
    """The first and the last bar."""
    match = _BARS.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} are no bars; write 5-8, or 5 for one bar")
    return int(match[1]), int(match[2] or match[1])


def part_in_seconds(text: str) -> tuple[float, float]:
    """Where the part begins and ends."""
    match = _SECONDS.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no part; write its begin and end in seconds, such as 8-12.5")
    return float(match[1]), float(match[2])


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, summary: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary.capitalize()}; all else stays as it is. Ctrl-C cancels the job.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("job", metavar="JOB", help="a finished take")
    parser.add_argument("--seed", type=int, help="the same seed gives the same music (default: random)")
    parser.add_argument("--title", help="title in the file, and in its name")
    add_output_options(parser.add_argument_group("file"))
    add_gateway_options(parser)
    parser.set_defaults(run=_edit)
    return parser


def _instruments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--instruments", metavar="NAMES", help="only these, such as drums,piano (default: all)")


def _prompt(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--prompt", help="describes the new bars (default: as the rest of the take)")


def edit_body(options: argparse.Namespace) -> dict[str, Any]:
    """The body of the request; only what the user chose.

    Raises:
        UsageError: for empty names of instruments.
    """
    names = ("bars", "seconds", "at", "strength", "prompt", "seed", "title")
    body = {name: value for name in names if (value := getattr(options, name, None)) is not None}
    for name, ends in (("bars", ("from_bar", "to_bar")), ("seconds", ("from_seconds", "to_seconds"))):
        if isinstance(body.get(name), tuple):
            body |= zip(ends, body.pop(name), strict=True)
    if (listed := getattr(options, "instruments", None)) is not None:
        body["instruments"] = [name.strip() for name in listed.split(",")]
        if not all(body["instruments"]):
            raise UsageError("Separate the names of --instruments by single commas: drums,piano.")
    outputs = [kind for kind in OUTPUT_KINDS if getattr(options, kind)]
    return body | ({"outputs": outputs} if outputs else {})


def _edit(options: argparse.Namespace) -> int:
    from deploy.cli.gateway_client import target_of
    from deploy.cli.generate import generate
    from deploy.cli.saving import saving_options
    from shared.job_id import is_job_id

    if not is_job_id(options.job):
        raise UsageError(f"{options.job!r} is no job id. `musicgen jobs` lists them.")
    send = sender(options.command, options.job)
    return asyncio.run(generate(target_of(options), edit_body(options), saving_options(options), send))


def sender(command: str, job_id: str) -> "Send":
    """What sends the request of a command about a take."""
    from musicgen_client import AsyncClient, AsyncJob

    edits: dict[str, Send] = {"replace": AsyncJob.replace, "extend": AsyncJob.extend, "vary": AsyncJob.vary}

    async def send(client: AsyncClient, **fields: Any) -> AsyncJob:
        return await edits[command](client.job(job_id), **fields)

    return send
