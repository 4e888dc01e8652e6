"""The commands that are clients of a gateway: their options, and the calls that run them."""

import argparse
import asyncio
from pathlib import Path
from typing import get_args

from deploy.cli.arguments import add_gateway_options, add_output_options, number, seconds
from shared.files import SAMPLE_RATES, AudioFormat, SampleFormat
from shared.lanes import PRIORITIES
from shared.messages import JobStatus
from shared.music import HIGHEST_BPM, LOWEST_BPM, MOST_BARS

FORMATS = get_args(AudioFormat)
SAMPLE_FORMATS = get_args(SampleFormat)
EXAMPLES = """\
examples:
  musicgen generate "lofi hip hop with piano" --bars 8 --bpm 82 --key Am --loop
  musicgen generate "epic strings" --duration 30 --stems --midi -o epic.flac
  musicgen generate --from-file epic.flac --seed 8 -o other.flac"""


def add_client_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add generate, download, jobs and cancel."""
    _generate_command(
        commands.add_parser(
            "generate",
            help="generate music and save it",
            usage="musicgen generate PROMPT [options]",
            description="Generate music and save it. Ctrl-C cancels the job.",
            epilog=EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    _download_command(
        commands.add_parser(
            "download",
            help="save the files of a finished job",
            description="Save the audio of a finished job, its stems, its MIDI file, or all of it as one ZIP file.",
        )
    )
    _jobs_command(commands.add_parser("jobs", help="list jobs, newest first"))
    cancel = commands.add_parser("cancel", help="cancel a job")
    cancel.add_argument("job", metavar="JOB")
    cancel.add_argument("--keep", action="store_true", help="keep the audio that a running job has generated so far")
    add_gateway_options(cancel)
    cancel.set_defaults(run=_cancel)


def _generate_command(parser: argparse.ArgumentParser) -> None:
    """The names of all options that are fields of the request are those of the API."""
    parser.add_argument("prompt", metavar="PROMPT", nargs="?", help="the music in words")
    _music_options(parser.add_argument_group("music"))
    file = parser.add_argument_group("file")
    add_output_options(file)
    file.add_argument("--format", choices=FORMATS, help="default: the ending of -o, else wav")
    file.add_argument("--sample-rate", type=int, choices=SAMPLE_RATES, help="in hertz (default: the model's)")
    file.add_argument("--sample-format", choices=SAMPLE_FORMATS, help="default: int16")
    file.add_argument("--loudness", type=number, metavar="LUFS", help="-30 to -6 (default: as the model makes it)")
    file.add_argument("--title", help="title in the file, and in its name")
    model = parser.add_argument_group("model")
    model.add_argument("--model", help="model name (default: the gateway's)")
    model.add_argument("--seed", type=int, help="the same seed gives the same music (default: random)")
    model.add_argument("--temperature", type=number, metavar="T", help="0.1 to 2; higher varies more (default: 1)")
    model.add_argument("--top-k", type=int, metavar="K", help="0 to 1000; 0 is off (default: 250)")
    model.add_argument("--top-p", type=number, metavar="P", help="0 to 1; above 0 it replaces --top-k (default: 0)")
    model.add_argument("--cfg-coef", type=number, metavar="C", help="1 to 10: how literally the prompt is taken")
    model.add_argument(
        "--no-cache", dest="cache", action="store_false", default=None, help="generate even if the result is stored"
    )
    parser.add_argument("--priority", choices=PRIORITIES, help="how urgent it is (default: normal, or the API key's)")
    add_gateway_options(parser)
    parser.set_defaults(run=_generate)


def _music_options(music: "argparse._ArgumentGroup") -> None:
    music.add_argument(
        "--negative", dest="negative_prompt", metavar="WORDS", help='what the music should not be: "drums, vocals"'
    )
    length = music.add_mutually_exclusive_group()
    length.add_argument("--bars", type=int, metavar="N", help=f"length in bars, 1 to {MOST_BARS}")
    length.add_argument(
        "--duration", type=seconds, metavar="SECONDS", help="length in seconds (default: what the prompt says, else 8)"
    )
    music.add_argument("--variations", type=int, metavar="N", help="1 to 8 takes, each saved in a file of its own")
    music.add_argument("--bpm", type=number, help=f"quarter notes per minute, {LOWEST_BPM:g} to {HIGHEST_BPM:g}")
    music.add_argument("--meter", help="such as 4/4, 3/4, 6/8")
    music.add_argument("--key", help='such as Am, F#m, Bb, "C minor"')
    music.add_argument(
        "--loop",
        action=argparse.BooleanOptionalAction,
        help="the end continues at the start, after whole bars",
    )
    audio = music.add_mutually_exclusive_group()
    audio.add_argument("--continue-from", metavar="FILE|JOB", help="begin with this audio, and go on from its end")
    audio.add_argument("--melody", metavar="FILE|JOB", help="follow the melody of this audio (melody models)")
    music.add_argument("--excerpt", metavar="START-END", help="the part of that audio, in seconds: 8-20, 8.5- or -20")
    music.add_argument(
        "--from-file",
        type=Path,
        metavar="TAKE",
        help="make the music of a saved file again; the other options change single properties",
    )


def _download_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job", metavar="JOB")
    parser.add_argument(
        "--bundle", action="store_true", help="save a ZIP file with audio, stems, MIDI, DAW session and recipe"
    )
    add_output_options(parser.add_argument_group("files"))
    add_gateway_options(parser)
    parser.set_defaults(run=_download)


def _jobs_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="default: 20")
    parser.add_argument("--status", choices=[status.value for status in JobStatus])
    parser.add_argument("--json", action="store_true", help="print a JSON array of the API's job objects")
    add_gateway_options(parser)
    parser.set_defaults(run=_jobs)


def _generate(options: argparse.Namespace) -> int:
    from deploy.cli.audio_source import chosen_audio, sending
    from deploy.cli.gateway_client import target_of
    from deploy.cli.generate import generate
    from deploy.cli.request import request_body
    from deploy.cli.saving import saving_options

    saving, send = saving_options(options), sending(chosen_audio(options))
    return asyncio.run(generate(target_of(options), request_body(options), saving, send))


def _download(options: argparse.Namespace) -> int:
    from deploy.cli.download import download
    from deploy.cli.gateway_client import target_of
    from deploy.cli.saving import saving_options

    saving = saving_options(options)
    return asyncio.run(download(target_of(options), options.job, saving, bundle=options.bundle))


def _jobs(options: argparse.Namespace) -> None:
    from deploy.cli.gateway_client import target_of
    from deploy.cli.jobs import list_jobs

    asyncio.run(list_jobs(target_of(options), options.limit, options.status, as_json=options.json))


def _cancel(options: argparse.Namespace) -> None:
    from deploy.cli.gateway_client import target_of
    from deploy.cli.jobs import cancel_job

    asyncio.run(cancel_job(target_of(options), options.job, options.keep))
