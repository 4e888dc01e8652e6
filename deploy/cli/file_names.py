"""Names of saved files: what their endings mean, and which names of a gateway are safe to use."""

from pathlib import Path
from typing import get_args

from deploy.cli.arguments import UsageError
from deploy.terminal import plain
from shared.files import AudioFormat

FORMATS: tuple[AudioFormat, ...] = get_args(AudioFormat)
# Endings that promise something else than the file would be. Others, as in "Mix 1.2", are part of the name.
OTHER_ENDINGS = ("aac", "aif", "aiff", "caf", "dawproject", "m4a", "mid", "midi", "mp4", "opus", "wma", "zip")
# Bytes of a name, so that the endings of stems still fit into the 255 of most file systems.
LONGEST_NAME = 200


def format_of(output: str | None) -> AudioFormat | None:
    """The audio format that the ending of a file's name means; None if it means none.

    Raises:
        UsageError: if it means a format that the service does not write.
    """
    if output is None or output.endswith("/") or Path(output).is_dir():
        return None
    ending = ending_of(output)
    if ending in OTHER_ENDINGS:
        raise UsageError(f"{output}: audio is saved as {', '.join(FORMATS)}. Choose such an ending for -o.")
    return next((each for each in FORMATS if each == ending), None)


def safe_name(offered: str | None, default: str) -> str:
    """The name that the gateway offers if it is a safe file name with the ending of `default`; else `default`."""
    is_usable = offered and is_safe(offered) and ending_of(offered) == ending_of(default)
    return offered if offered and is_usable else default


def is_safe(name: str) -> bool:
    """Whether a name from the network names a visible file in the folder that it is put into."""
    return (
        bool(name)
        and not name.startswith(".")
        and not {"/", "\\"} & set(name)
        and plain(name) == name
        and len(name.encode()) <= LONGEST_NAME
    )


def beside(audio: Path, output: str) -> Path:
    """Where an output is saved, in the manner of the gateway's names.

    MIDI is `song.mid`, and the stem `drum_machine.wav` is `song_drum-machine.wav`.
    """
    stem = audio.name.removesuffix(audio.suffix) if ending_of(audio.name) in FORMATS else audio.name
    return audio.with_name(f"{stem}.mid" if output.endswith(".mid") else f"{stem}_{output.replace('_', '-')}")


def ending_of(name: str) -> str:
    """The ending of a file name in lower case, without its dot; empty without one."""
    return Path(name).suffix.removeprefix(".").lower()
