"""Text for terminals and pipes: nothing that a user wrote is read as markup or as a terminal's control sequence."""

import io
import os
import sys
import unicodedata

from rich.console import Console
from rich.markup import escape

# An error may end with lines of a log.
NEWLINE = "\n"
# Exit codes as shells know them: 128 and the number of the signal.
BROKEN_PIPE = 141

# Categories of characters that move the cursor, change colours, reverse text or end a line.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# The two joiners: several scripts and most family emoji need them, and they do nothing to a terminal.
_JOINERS = "\u200c\u200d"


def plain(text: str, keep: str = "") -> str:
    """The text on one line, with every control character written out as an escape.

    Args:
        text: from anywhere.
        keep: control characters to leave as they are, such as a newline.
    """
    return "".join(character if character in keep else _safe(character) for character in text)


def _safe(character: str) -> str:
    if character in "\n\r\t":
        return " "
    if unicodedata.category(character) not in _UNSAFE or character in _JOINERS:
        return character
    return character.encode("unicode_escape").decode()


def literal(value: object) -> str:
    """Any value as text that may stand between a console's markup."""
    return escape(plain(str(value)))


class Terminal(Console):
    """A console that wraps no lines, and reports a closed pipe instead of ending the program within a coroutine."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, soft_wrap=True, emoji=False)

    def on_broken_pipe(self) -> None:
        """Go on without messages; without a reader of the results there is nothing to go on for."""
        self.quiet = True
        if not self.stderr:
            raise BrokenPipeError


def use_replacements() -> None:
    """Write characters that the locale's encoding lacks as escapes, where Python would stop with an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush() -> None:
    """Write what is pending on standard output now, where an error can still be reported.

    Raises:
        OSError: if the reader is gone or the disk is full. Nothing else is written after that.
    """
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        silence()
        raise


def silence() -> None:
    """Discard what is pending on standard output: Python would report it once more at its end."""
    if sys.stdout is not None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
