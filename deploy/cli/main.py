"""The `musicgen` command. Subcommands are imported on use, so that each one starts quickly."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.cli.arguments import UsageError, add_data_dir, folder, port, worker_count
from deploy.cli.client_commands import add_client_commands
from deploy.cli.edit_commands import add_edit_commands
from deploy.cli.score_commands import add_score_commands
from shared.errors import MusicgenError
from shared.models import model_settings
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
        return 2 if isinstance(error, UsageError) else 1
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
    parser = argparse.ArgumentParser(prog="musicgen", description="AI music for a DAW: text in, audio out.")
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="run the whole system on this machine")
    add_data_dir(up)
    up.add_argument("--port", type=port, help="port of the gateway (default: GATEWAY_PORT, else 8000)")
    number = up.add_mutually_exclusive_group()
    number.add_argument("--workers", type=worker_count, default=1, metavar="N", help="number of workers (default: 1)")
    number.add_argument("--gpus", metavar="all|0,1", help="a worker on each GPU, or on those of nvidia-smi's numbers")
    number.add_argument(
        "--no-worker",
        dest="workers",
        action="store_const",
        const=0,
        help="start no worker; jobs stay queued",
    )
    _add_models(up)
    up.set_defaults(run=_up)

    commands.add_parser("gateway", help="run one gateway, for containers").set_defaults(run=_gateway)
    worker = commands.add_parser("worker", help="run one worker, for containers")
    _add_models(worker)
    worker.add_argument("--device", help="auto, cuda, cuda:1, mps or cpu (default: MUSICGEN_DEVICE)")
    worker.set_defaults(run=_worker)

    add_client_commands(commands)
    add_edit_commands(commands)
    add_score_commands(commands)

    admin = commands.add_parser("admin", help="operator commands: inspect and repair jobs, back up and restore")
    actions = admin.add_subparsers(dest="action", required=True, metavar="ACTION")
    _admin_actions(actions)
    _backup_actions(actions)

    _drain_commands(commands)

    env = commands.add_parser("env", help="print export lines for the nats CLI, S3 browsers and scripts")
    add_data_dir(env)
    env.set_defaults(run=_env)

    doctor = commands.add_parser("doctor", help="check this machine and its servers, and suggest fixes")
    add_data_dir(doctor)
    doctor.set_defaults(run=_doctor)
    return parser


def _drain_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    drain = commands.add_parser("drain", help="have a worker finish its jobs and take no more")
    drain.add_argument("--end", action="store_true", help="end the worker's process when its jobs are done")
    undrain = commands.add_parser("undrain", help="let a drained worker take jobs again")
    for command in (drain, undrain):
        command.add_argument("worker", metavar="WORKER", help="a worker's id, or a host for all of its workers")
        command.add_argument("--data-dir", type=folder, help="data folder of an `up` (default: NATS_URL)")
        command.set_defaults(run=_drain)


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        dest="models",
        action="append",
        default=[],
        help="model name or checkpoint folder; further ones are loaded on demand "
        "(default: MUSICGEN_MODEL_SIZE and WORKER_MODELS, else starter)",
    )


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
        action.add_argument("--data-dir", type=folder, help="data folder of an `up` (default: NATS_URL)")
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
        action.add_argument("folder", metavar="FOLDER", type=folder)
        action.add_argument(
            "--data-dir", type=folder, help="data folder of an `up` (default: NATS_URL and S3_ENDPOINT)"
        )
        action.set_defaults(run=_backup)


def _data_folder(options: argparse.Namespace) -> Path:
    from deploy.stack.data_folder import default_data_dir

    found: Path = options.data_dir or default_data_dir()
    return found


def _up(options: argparse.Namespace) -> None:
    from deploy.cli.up import up
    from deploy.stack.gpus import choose_gpus
    from deploy.stack.local_stack import StackOptions
    from deploy.terminal import Terminal

    gpus = choose_gpus(options.gpus) if options.gpus else ()
    workers = len(gpus) or options.workers
    asyncio.run(up(StackOptions(_data_folder(options), options.port, workers, tuple(options.models), gpus), Terminal()))


def _gateway(options: argparse.Namespace) -> None:
    from gateway.main import main as run

    run()


def _worker(options: argparse.Namespace) -> None:
    from worker.main import main as run

    device = {"MUSICGEN_DEVICE": options.device} if options.device else {}
    run(**device, **model_settings(options.models))


def _admin(options: argparse.Namespace) -> None:
    from deploy.cli.admin import administer

    asyncio.run(administer(options.action, options.job, getattr(options, "reason", None), options.data_dir))


def _backup(options: argparse.Namespace) -> None:
    from deploy.cli.backup import back_up, restore

    run = back_up if options.action == "backup" else restore
    asyncio.run(run(options.folder, options.data_dir))


def _drain(options: argparse.Namespace) -> None:
    from deploy.cli.drain import drain, undrain

    if options.command == "undrain":
        asyncio.run(undrain(options.worker, options.data_dir))
    else:
        asyncio.run(drain(options.worker, options.data_dir, end=options.end))


def _env(options: argparse.Namespace) -> None:
    from deploy.cli.env import print_exports

    print_exports(_data_folder(options))


def _doctor(options: argparse.Namespace) -> int:
    from deploy.cli.doctor import doctor

    return asyncio.run(doctor(_data_folder(options)))


if __name__ == "__main__":
    sys.exit(main())
