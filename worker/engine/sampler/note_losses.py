"""What of a score of notes is not played as it is written, in sentences for a producer."""

from collections import Counter
from collections.abc import Iterable

from shared.note_score import Losses

# Notes of a part that sound at a time; the oldest end for more.
MOST_VOICES = 64


class PlayingLosses:
    """Collects what is not played as it is written.

    Attributes:
        instead: names of programs and drums, by the sound that plays them instead.
        silent: how many notes of these names are left out.
        kits: programs of drum kits that there are not, from 1.
        moved: notes in other octaves.
        crowded: notes beyond `MOST_VOICES`.
    """

    def __init__(self, read: Losses) -> None:
        self._read = read
        self.instead: dict[str, dict[str, None]] = {}
        self.silent = Counter[str]()
        self.kits: dict[int, None] = {}
        self.moved = self.crowded = 0

    def sentences(self) -> list[str]:
        """For a producer."""
        read = self._read
        found = [
            f"{_listed(names)} {'is' if len(names) == 1 else 'are'} played by the nearest sound: {sound}."
            for sound, names in self.instead.items()
        ]
        if self.silent:
            names = _listed(self.silent)
            found.append(f"{_notes_of(self.silent.total())} left out, because no sound resembles them: {names}.")
        if self.kits:
            found.append(f"The nearest drum kit plays in place of kit {_listed(map(str, self.kits))}.")
        if self.moved:
            found.append(f"{_notes_of(self.moved)} moved by octaves onto the piano's keys.")
        if self.crowded:
            found.append(
                f"A part has more than {MOST_VOICES} notes at once: {self.crowded} times the oldest one ends early."
            )
        for count, what in (
            (read.bends, "Pitch bends are not played: {} of them were left out."),
            (read.pressures, "Pressure on keys (aftertouch) is not played: {} changes were left out."),
            (read.messages, "Messages for single devices (SysEx) are not played: {} were left out."),
            (read.endless, "{} notes have no end in the file; they last until its end."),
            (read.merged, "The file has too many parts: {} were joined with others of their kind."),
        ):
            if count:
                found.append(what.format(count))
        return found


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _notes_of(count: int) -> str:
    return "1 note is" if count == 1 else f"{count} notes are"
