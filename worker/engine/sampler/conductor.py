"""The conductor's stream declares each bar, and the next bar's players, with one code per sixteenth note.

    place 0          tempo:    2 + bpm - 40
    place 1          meter:    163 + index of meter and swing in `FEELS`; from the seventh on 360 + index
    place 2          key:      169 + 2 * tonic + minor
    place 3          section:  193 + section
    places 4 to 10   player of a stream from the next bar on: 209 + 16 * (stream - 1) + player; 0 is no player
    place 11         mood:     337 + mood; 0 is none
    later places     place:    321 + place mod 16

Code 0 means "no event". The first bar is the count-in: it has no duration and no notes, so that tempo, key and players
are known before the first note.
"""

from collections.abc import Sequence
from dataclasses import replace

from worker.engine.sampler.instruments import PLAYERS, Stream
from worker.engine.sampler.score import FASTEST, LONGEST_BAR, MOODS, SLOWEST, Header, Section

TEMPO = 2
METER = TEMPO + FASTEST - SLOWEST + 1
KEY = METER + 6
SECTION = KEY + 24
PLAYER = SECTION + 16
PLACE = PLAYER + 16 * len(PLAYERS)
MOOD = PLACE + 16
# Leaves room for ten more moods.
LATER_METER = MOOD + 29

# Beats, their note value and the swing of each code that declares a meter. Indices are codes: add at the end only.
FEELS = (
    *((beats, 4, swing) for beats in (3, 4) for swing in range(3)),
    *((beats, 4, swing) for beats in (3, 4) for swing in range(3, 6)),
    *((5, 4, swing) for swing in range(6)),
    *((beats, 8, 0) for beats in (6, 12, 7)),
)
# How many feels and sections each level of scores has; see `score.LEVEL`.
_FEELS, _SECTIONS = {1: 6, 2: len(FEELS)}, {1: 8, 2: len(Section)}

# The player of each stream but the conductor's: 1 is the first of its `PLAYERS`, 0 is no player.
Players = tuple[int, ...]
NO_PLAYER = 0
EMPTY: Players = (NO_PLAYER,) * len(PLAYERS)

# The first code and the end of the range for each place with more than one code.
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
# Maximum steps of the count-in of each level.
COUNT_INS = {1: Header().steps, 2: LONGEST_BAR}


def codes_at(place: int, level: int) -> list[int]:
    """The codes that scores of a level may have at a place of the bar."""
    if place == METER_PLACE:
        return [_feel_code(index) for index in range(_FEELS[level])]
    if place == SECTION_PLACE:
        return [SECTION + section for section in range(_SECTIONS[level])]
    return list(range(*OPENING[place])) if place < len(OPENING) else [place_code(place)]


def place_of(code: int) -> int | None:
    """The place of the bar that a code of the bar's opening belongs to; None for other codes."""
    if code in _FEEL_OF:
        return METER_PLACE
    return next((place for place, (first, end) in enumerate(OPENING) if first <= code < end), None)


def place_code(place: int) -> int:
    """The code of a place after the bar's opening."""
    return PLACE + place % 16


def _feel_code(index: int) -> int:
    return METER + index if METER + index < KEY else LATER_METER + index - (KEY - METER)


_FEEL_OF = {_feel_code(index): feel for index, feel in enumerate(FEELS)}


def steps_of(code: int) -> int | None:
    """Steps of a bar in the meter that a code declares; None for other codes."""
    return read_header(code, Header()).steps if code in _FEEL_OF else None


def bar_codes(header: Header, section: Section, following: Players = EMPTY) -> list[int]:
    """The codes of a bar, one per step; `following` are the next bar's players."""
    opening = [
        TEMPO + header.bpm - SLOWEST,
        _feel_code(FEELS.index((header.beats, header.unit, header.swing))),
        KEY + 2 * header.key + header.minor,
        SECTION + section,
        *(PLAYER + 16 * row + player for row, player in enumerate(following)),
        MOOD + (1 + MOODS.index(header.mood) if header.mood else 0),
    ]
    return opening + [place_code(step) for step in range(len(opening), header.steps)]


def read_header(code: int, header: Header) -> Header:
    """Apply the tempo, meter, key or mood that a code declares; other codes return the header unchanged."""
    if TEMPO <= code < METER:
        return replace(header, bpm=code - TEMPO + SLOWEST)
    if code in _FEEL_OF:
        beats, unit, swing = _FEEL_OF[code]
        return replace(header, beats=beats, unit=unit, swing=swing)
    if KEY <= code < SECTION:
        key, minor = divmod(code - KEY, 2)
        return replace(header, key=key, minor=bool(minor))
    if MOOD <= code <= MOOD + len(MOODS):
        return replace(header, mood=MOODS[code - MOOD - 1] if code > MOOD else None)
    return header


def read_section(code: int) -> Section | None:
    """The section that a code declares; None for other codes."""
    return Section(code - SECTION) if SECTION <= code < SECTION + len(Section) else None


def read_players(code: int, players: Players) -> Players:
    """Apply the player that a code declares; other codes return the players unchanged."""
    row, player = divmod(code - PLAYER, 16)
    if not 0 <= row < len(players) or code >= OPENING[PLAYER_PLACES[row]][1]:
        return players
    return (*players[:row], player, *players[row + 1 :])


class Conductor:
    """Follows the conductor's codes step by step. A tempo code always begins a bar.

    Attributes:
        header: the current header.
        section: of the bar; `END` means that the piece is over.
        players: the bar's players.
        place: steps since the bar began.
        bar: index of the bar; -1 is the count-in.
    """

    def __init__(self) -> None:
        self.header = Header()
        self.section = Section.VERSE
        self.players = self._following = EMPTY
        self.place = -1
        self.bar = -2

    @property
    def is_over(self) -> bool:
        """Whether the section `END` has been declared."""
        return self.section is Section.END

    @property
    def counts_in(self) -> bool:
        """Whether this step belongs to the count-in, which has no duration."""
        return self.bar < 0

    def player(self, stream: Stream) -> str | None:
        """The stream's current instrument or kit; None without a player."""
        return name_of(stream, self.players)

    def read(self, code: int) -> None:
        """Advance by one step. Invalid codes change nothing."""
        self.place = 0 if TEMPO <= code < METER else (self.place + 1) % self.header.steps
        if self.place == 0:
            self.bar += 1
            self.players = self._following
        self.header = read_header(code, self.header)
        self._following = read_players(code, self._following)
        if not self.is_over:
            self.section = self.section if (found := read_section(code)) is None else found


def name_of(stream: Stream, players: Players) -> str | None:
    """The name of a stream's player; None without one."""
    player = players[stream - 1]
    return PLAYERS[stream][player - 1] if player else None


def players_of(names: Sequence[str | None]) -> Players:
    """The numbers of named players, one for each stream but the conductor's."""
    rows = zip(PLAYERS.values(), names, strict=True)
    return tuple(NO_PLAYER if name is None else 1 + known.index(name) for known, name in rows)
