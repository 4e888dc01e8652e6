"""The conductor's stream: what a bar is and who plays in the next one, one code a sixteenth.

    place 0          tempo:    2 + bpm - 40
    place 1          meter:    163 + (beats - 3) * 3 + swing
    place 2          key:      169 + 2 * tonic + minor
    place 3          section:  193 + section
    places 4 to 10   player of a stream from the next bar on: 209 + 16 * (stream - 1) + player; 0 is nobody
    place 11         mood:     337 + mood; 0 is none
    from then on     place:    321 + place

0 says nothing new. The first bar is counted in: it takes no time and nobody plays, so that all is known before the
first note.
"""

from collections.abc import Sequence
from dataclasses import replace

from worker.engine.sampler.instruments import PLAYERS, Stream
from worker.engine.sampler.score import FASTEST, MOODS, SLOWEST, Header, Section

TEMPO = 2
METER = TEMPO + FASTEST - SLOWEST + 1
KEY = METER + 6
SECTION = KEY + 24
PLAYER = SECTION + 16
PLACE = PLAYER + 16 * len(PLAYERS)
MOOD = PLACE + 16

# For each stream but the conductor's who plays: 1 is the first of its `PLAYERS`.
Players = tuple[int, ...]
NO_PLAYER = 0
EMPTY: Players = (NO_PLAYER,) * len(PLAYERS)

# For each place of a bar whose codes are not always the same, the first of them and the one after the last.
OPENING = (
    (TEMPO, METER),
    (METER, KEY),
    (KEY, SECTION),
    (SECTION, SECTION + len(Section)),
    *((PLAYER + 16 * row, PLAYER + 16 * row + 1 + len(names)) for row, names in enumerate(PLAYERS.values())),
    (MOOD, MOOD + 1 + len(MOODS)),
)
METER_PLACE, SECTION_PLACE = 1, 3
PLAYER_PLACES = range(SECTION_PLACE + 1, SECTION_PLACE + 1 + len(PLAYERS))
# Columns that are counted in, at the most.
COUNT_IN = Header().steps


def bar_codes(header: Header, section: Section, following: Players = EMPTY) -> list[int]:
    """The codes of a bar, one a step; `following` are the next bar's players."""
    opening = [
        TEMPO + header.bpm - SLOWEST,
        METER + (header.beats - 3) * 3 + header.swing,
        KEY + 2 * header.key + header.minor,
        SECTION + section,
        *(PLAYER + 16 * row + player for row, player in enumerate(following)),
        MOOD + (1 + MOODS.index(header.mood) if header.mood else 0),
    ]
    return opening + [PLACE + step for step in range(len(opening), header.steps)]


def read_header(code: int, header: Header) -> Header:
    """The header with the tempo, meter, key or mood that a code declares; unchanged if it declares none."""
    if TEMPO <= code < METER:
        return replace(header, bpm=code - TEMPO + SLOWEST)
    if METER <= code < KEY:
        beats, swing = divmod(code - METER, 3)
        return replace(header, beats=beats + 3, swing=swing)
    if KEY <= code < SECTION:
        key, minor = divmod(code - KEY, 2)
        return replace(header, key=key, minor=bool(minor))
    if MOOD <= code <= MOOD + len(MOODS):
        return replace(header, mood=MOODS[code - MOOD - 1] if code > MOOD else None)
    return header


def read_section(code: int) -> Section | None:
    """The section that a code declares, if it declares one."""
    return Section(code - SECTION) if SECTION <= code < SECTION + len(Section) else None


def read_players(code: int, players: Players) -> Players:
    """The players with the one whom a code declares; unchanged if it declares none."""
    row, player = divmod(code - PLAYER, 16)
    if not 0 <= row < len(players) or code >= OPENING[PLAYER_PLACES[row]][1]:
        return players
    return (*players[:row], player, *players[row + 1 :])


class Conductor:
    """Follows the codes step by step, as a model makes them. A tempo begins a bar wherever it comes.

    Attributes:
        header: what holds now.
        section: the bar's; from `END` on the piece is over.
        players: those of the bar.
        place: steps since the bar began.
        bar: bars before this one; -1 is the one that is counted in.
    """

    def __init__(self) -> None:
        self.header = Header()
        self.section = Section.VERSE
        self.players = self._following = EMPTY
        self.place = -1
        self.bar = -2

    @property
    def is_over(self) -> bool:
        """Whether the end was declared."""
        return self.section is Section.END

    @property
    def counts_in(self) -> bool:
        """Whether this step takes no time."""
        return self.bar < 0

    def player(self, stream: Stream) -> str | None:
        """Who plays in a stream."""
        return name_of(stream, self.players)

    def read(self, code: int) -> None:
        """Go on by one step. A code that cannot be read changes nothing."""
        self.place = 0 if TEMPO <= code < METER else (self.place + 1) % self.header.steps
        if self.place == 0:
            self.bar += 1
            self.players = self._following
        self.header = read_header(code, self.header)
        self._following = read_players(code, self._following)
        if not self.is_over:
            self.section = self.section if (found := read_section(code)) is None else found


def name_of(stream: Stream, players: Players) -> str | None:
    """Who of some players plays in a stream; None if nobody does."""
    player = players[stream - 1]
    return PLAYERS[stream][player - 1] if player else None


def players_of(names: Sequence[str | None]) -> Players:
    """The numbers of players, one for each stream but the conductor's."""
    rows = zip(PLAYERS.values(), names, strict=True)
    return tuple(NO_PLAYER if name is None else 1 + known.index(name) for known, name in rows)
