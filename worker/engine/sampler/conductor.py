"""The conductor's stream: tempo, key and section at a bar's beginning, then the place in the bar.

0                     nothing new
2 to 967              tempo: 2 + ((bpm - 40) * 2 + beats - 3) * 3 + swing
968 to 991            key: 968 + 2 * tonic + minor
992 to 1007           section
1008 to 1023          place in the bar, from 3 on
"""

from collections.abc import Iterable
from dataclasses import replace

from worker.engine.sampler.score import FASTEST, SLOWEST, Header, Section

TEMPO = 2
KEY = TEMPO + (FASTEST - SLOWEST + 1) * 2 * 3
SECTION = KEY + 24
PLACE = SECTION + 16


def bar_codes(header: Header, section: Section) -> list[int]:
    """The codes of a bar, one a step."""
    tempo = TEMPO + ((header.bpm - SLOWEST) * 2 + header.beats - 3) * 3 + header.swing
    opening = [tempo, KEY + 2 * header.key + header.minor, SECTION + section]
    return opening + [PLACE + step for step in range(len(opening), header.steps)]


def read_tempo(code: int, header: Header) -> Header | None:
    """The header with the tempo that a code declares, or None if it declares none."""
    if not TEMPO <= code < KEY:
        return None
    rest, swing = divmod(code - TEMPO, 3)
    bpm, beats = divmod(rest, 2)
    return replace(header, bpm=bpm + SLOWEST, beats=beats + 3, swing=swing)


def read_key(code: int, header: Header) -> Header | None:
    """The header with the key that a code declares, or None if it declares none."""
    if not KEY <= code < SECTION:
        return None
    key, minor = divmod(code - KEY, 2)
    return replace(header, key=key, minor=bool(minor))


def read_section(code: int) -> Section | None:
    """The section that a code declares, if it declares one."""
    return Section(code - SECTION) if SECTION <= code < SECTION + len(Section) else None


def read_header(codes: Iterable[int]) -> Header:
    """The first tempo and the first key among some codes; 120, 4/4 and C major are what is assumed."""
    header = Header()
    tempos = [found for code in codes if (found := read_tempo(int(code), header))]
    keyed = [found for code in codes if (found := read_key(int(code), header))]
    first = tempos[0] if tempos else header
    return replace(first, key=keyed[0].key, minor=keyed[0].minor) if keyed else first


class Conductor:
    """Follows the codes step by step, as a model makes them. A tempo begins a bar wherever it comes.

    Attributes:
        header: what holds now.
        section: the bar's; from `END` on the piece is over.
        place: steps since the bar began.
    """

    def __init__(self) -> None:
        self.header = Header()
        self.section = Section.VERSE
        self.place = -1

    @property
    def is_over(self) -> bool:
        """Whether the end was declared."""
        return self.section is Section.END

    def read(self, code: int) -> None:
        """Go on by one step. A code that cannot be read changes nothing."""
        tempo = read_tempo(code, self.header)
        self.place = 0 if tempo is not None else (self.place + 1) % self.header.steps
        self.header = tempo or read_key(code, self.header) or self.header
        if not self.is_over:
            self.section = self.section if (found := read_section(code)) is None else found
