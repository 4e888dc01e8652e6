"""Safe terminal output: user text is never interpreted as markup or as a control sequence."""

import io
import os
import sys
import unicodedata

from rich.console import Console
from rich.markup import escape

# For `plain(keep=…)`: an error may quote several log lines.
NEWLINE = "\n"
# Exit code by shell convention: 128 plus the signal number (SIGPIPE).
BROKEN_PIPE = 141

# Unicode categories that can move the cursor, change colours, reverse text or end a line.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# The zero-width joiners: several scripts and many emoji need them, and they are harmless in a terminal.
_JOINERS = "\u200c\u200d"


def plain(text: str, keep: str = "") -> str:
    """Return the text on one line, with control characters as escapes.

    Args:
        text: untrusted text.
        keep: control characters to leave unescaped, such as a newline.
    """
    return "".join(character if character in keep else _safe(character) for character in text)


def _safe(character: str) -> str:
    if character in "\n\r\t":
        return " "
    if unicodedata.category(character) not in _UNSAFE or character in _JOINERS:
        return character
    return character.encode("unicode_escape").decode()


def literal(value: object) -> str:
    """Return any value as text that is safe to embed in rich markup."""
    return escape(plain(str(value)))


class Terminal(Console):
    """A console that does not wrap lines and raises BrokenPipeError on a closed pipe instead of exiting."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, soft_wrap=True, emoji=False)

    def on_broken_pipe(self) -> None:
        """Ignore a closed standard error; raise if standard output is closed."""
        self.quiet = True
        if not self.stderr:
            raise BrokenPipeError


def use_replacements() -> None:
    """Escape characters that the locale's encoding lacks, instead of raising UnicodeEncodeError."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush() -> None:
    """Flush standard output while an error can still be reported.

    Raises:
        OSError: if the reader is gone or the disk is full. Pending output is discarded.
    """
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        silence()
        raise


def silence() -> None:
    """Discard pending standard output; otherwise Python reports the error again at exit."""
    if sys.stdout is not None:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
