"""The `musicgen` command. Subcommands are imported on use, so that each one starts quickly."""

import argparse
import asyncio
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.errors import MusicgenError
from shared.version import VERSION


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns the exit code."""
    options = _parser().parse_args(arguments)
    from deploy.terminal import BROKEN_PIPE, NEWLINE, flush, plain, silence, use_replacements

    use_replacements()
    try:
        code: int | None = options.run(options)
        flush()
    except MusicgenError as error:
        print(f"musicgen {options.command}: {plain(str(error), keep=NEWLINE)}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        silence()
        return BROKEN_PIPE
    except OSError as error:
        if options.run in (_gateway, _worker):
            raise  # services log the full traceback
        silence()
        print(f"musicgen {options.command}: {plain(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code or 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="musicgen", description="AI music for a DAW: text in, WAV out.")
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="run the whole system on this machine")
    _add_data_dir(up)
    up.add_argument("--port", type=_port, help="port of the gateway (default: GATEWAY_PORT, else 8000)")
    up.add_argument("--workers", type=_workers, default=1, metavar="N", help="number of worker processes (default: 1)")
    up.add_argument(
        "--no-worker",
        dest="workers",
        action="store_const",
        const=0,
        help="start no worker; jobs stay queued",
    )
    up.add_argument("--model", help="model name or checkpoint folder (default: MUSICGEN_MODEL_SIZE, else starter)")
    up.set_defaults(run=_up)

    commands.add_parser("gateway", help="run one gateway, for containers").set_defaults(run=_gateway)
    commands.add_parser("worker", help="run one worker, for containers").set_defaults(run=_worker)

    _client_commands(commands)

    admin = commands.add_parser("admin", help="operator commands: inspect and repair jobs, back up and restore")
    actions = admin.add_subparsers(dest="action", required=True, metavar="ACTION")
    _admin_actions(actions)
    _backup_actions(actions)

    env = commands.add_parser("env", help="print export lines for the nats CLI, S3 browsers and scripts")
    _add_data_dir(env)
    env.set_defaults(run=_env)

    doctor = commands.add_parser("doctor", help="check this machine and its servers, and suggest fixes")
    _add_data_dir(doctor)
    doctor.set_defaults(run=_doctor)
    return parser


def _client_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    generate = commands.add_parser("generate", help="generate music and save it; Ctrl-C cancels the job")
    generate.add_argument("prompt", metavar="PROMPT")
    generate.add_argument("--duration", type=_seconds, default=8.0, metavar="SECONDS", help="default: 8")
    generate.add_argument("--seed", type=int, help="the same seed gives the same music")
    generate.add_argument("--model", help="model name (default: the server's)")
    generate.add_argument("-o", "--output", help="file, folder, pipe, or - for standard output (default: JOB.wav)")
    _gateway_options(generate)
    generate.set_defaults(run=_generate)

    jobs = commands.add_parser("jobs", help="list jobs, newest first")
    jobs.add_argument("--limit", type=int, default=20, metavar="N")
    jobs.add_argument("--status", choices=["queued", "processing", "completed", "failed", "cancelled"])
    _gateway_options(jobs)
    jobs.set_defaults(run=_jobs)

    cancel = commands.add_parser("cancel", help="cancel a job")
    cancel.add_argument("job", metavar="JOB")
    cancel.add_argument("--keep", action="store_true", help="keep the audio that a running job has generated so far")
    _gateway_options(cancel)
    cancel.set_defaults(run=_cancel)


ADMIN_ACTIONS = {
    "show": "print the record, its queue message and its events",
    "fail": "mark a job as failed; its worker stops working on it",
    "requeue": "queue a job again if it has no worker and no deliverable message",
    "announce": "publish the event of a job's current state if it is missing",
    "lost": "mark a job's stored audio as lost",
}


def _admin_actions(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    for name, text in ADMIN_ACTIONS.items():
        action = actions.add_parser(name, help=text)
        action.add_argument("job", metavar="JOB")
        action.add_argument("--data-dir", type=_folder, help="data folder of an `up` (default: NATS_URL)")
        if name == "fail":
            action.add_argument("--reason", required=True, help="error message that the client sees")
        action.set_defaults(run=_admin)


BACKUP_ACTIONS = {
    "backup": "copy the queue, events, records and audio into a new folder",
    "restore": "load a backup into new servers, before any gateway or worker starts",
}


def _backup_actions(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    for name, text in BACKUP_ACTIONS.items():
        action = actions.add_parser(name, help=text)
        action.add_argument("folder", metavar="FOLDER", type=_folder)
        action.add_argument(
            "--data-dir", type=_folder, help="data folder of an `up` (default: NATS_URL and S3_ENDPOINT)"
        )
        action.set_defaults(run=_backup)


def _add_data_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", type=_folder, help="data folder (default: the user's data folder)")


def _gateway_options(parser: argparse.ArgumentParser) -> None:
    options = parser.add_mutually_exclusive_group()
    options.add_argument("--url", help="URL of the gateway (default: MUSICGEN_URL, else a running `up`)")
    options.add_argument("--data-dir", type=_folder, help="data folder of the `up` to connect to")


def _folder(text: str) -> Path:
    try:
        return Path(text).expanduser().absolute()
    except (RuntimeError, OSError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be resolved: {error}") from error


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError("a port must be a number from 1 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:  # also rejects NaN
        raise argparse.ArgumentTypeError("a duration must be a positive number of seconds, such as 8 or 7.5")
    return seconds


def _workers(text: str) -> int:
    if not text.isdecimal() or int(text) > 64:
        raise argparse.ArgumentTypeError("the number of workers must be from 0 to 64")
    return int(text)


def _data_folder(options: argparse.Namespace) -> Path:
    from deploy.stack.data_folder import default_data_dir

    folder: Path = options.data_dir or default_data_dir()
    return folder


def _up(options: argparse.Namespace) -> None:
    from deploy.cli.up import up
    from deploy.stack.local_stack import StackOptions
    from deploy.terminal import Terminal

    asyncio.run(up(StackOptions(_data_folder(options), options.port, options.workers, options.model), Terminal()))


def _gateway(options: argparse.Namespace) -> None:
    from gateway.main import main as run

    run()


def _worker(options: argparse.Namespace) -> None:
    from worker.main import main as run

    run()


def _generate(options: argparse.Namespace) -> int:
    from deploy.cli.gateway_client import GatewayTarget
    from deploy.cli.generate import generate

    request = {"prompt": options.prompt, "duration": options.duration, "seed": options.seed, "model": options.model}
    return asyncio.run(generate(GatewayTarget(options.url, options.data_dir), request, options.output))


def _jobs(options: argparse.Namespace) -> None:
    from deploy.cli.gateway_client import GatewayTarget
    from deploy.cli.jobs import list_jobs

    asyncio.run(list_jobs(GatewayTarget(options.url, options.data_dir), options.limit, options.status))


def _cancel(options: argparse.Namespace) -> None:
    from deploy.cli.gateway_client import GatewayTarget
    from deploy.cli.jobs import cancel_job

    asyncio.run(cancel_job(GatewayTarget(options.url, options.data_dir), options.job, options.keep))


def _admin(options: argparse.Namespace) -> None:
    from deploy.cli.admin import administer

    asyncio.run(administer(options.action, options.job, getattr(options, "reason", None), options.data_dir))


def _backup(options: argparse.Namespace) -> None:
    from deploy.cli.backup import back_up, restore

    run = back_up if options.action == "backup" else restore
    asyncio.run(run(options.folder, options.data_dir))


def _env(options: argparse.Namespace) -> None:
    from deploy.cli.env import print_exports

    print_exports(_data_folder(options))


def _doctor(options: argparse.Namespace) -> int:
    from deploy.cli.doctor import doctor

    return asyncio.run(doctor(_data_folder(options)))


if __name__ == "__main__":
    sys.exit(main())
