"""What the model hears of a score of notes: its parts as streams of codes, on the grid of sixteenths.

Only the model's context is reduced like this. What is played are the notes themselves.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from statistics import median

import numpy as np

from shared.note_score import NotePart, NoteScore, TimedNote
from worker.engine.sampler.codes import NOTHING, STOP, Codes, event_code
from worker.engine.sampler.codes import QUALITIES as EARLY_QUALITIES
from worker.engine.sampler.gm_sounds import general_midi, kit_of
from worker.engine.sampler.instruments import CHORD_STREAMS, KITS, PIECES, Stream
from worker.engine.sampler.midi import CHORD_VELOCITIES, VELOCITIES
from worker.engine.sampler.ranges import fold
from worker.engine.sampler.revoicing import nearest_player
from worker.engine.sampler.roles import BASS_BELOW, MELODIC, find_roles, texture
from worker.engine.sampler.score import HIGHEST_PITCH, LOWEST_PITCH, Chord, Event, Hits, Note, Quality
from worker.engine.sampler.step_grid import StepGrid
from worker.engine.sampler.voicing import INTERVALS

# How many velocities scores of each level have: of notes, and of chords.
_NOTE_LEVELS, _CHORD_LEVELS = {1: 3, 2: 6}, {1: 2, 2: 4}
# Streams that may take a part whose own one has another part already.
_SPARE = {
    Stream.BASS: (),
    Stream.CHORDS: (Stream.PAD, Stream.ARPEGGIO),
    Stream.PAD: (Stream.CHORDS,),
    Stream.ARPEGGIO: (Stream.LEAD, Stream.CHORDS, Stream.PAD),
    Stream.LEAD: (Stream.ARPEGGIO,),
    Stream.DRUMS: (),
}  # fmt: skip
# What counts against a chord beside its notes that sound: a note of it that does not, and one that it lacks. And what
# counts for it: that its root is the lowest note.
_MISS, _EXTRA, _ROOT = 0.6, 0.8, 0.3


@dataclass(frozen=True, slots=True)
class Heard:
    """A score as the model hears it.

    Attributes:
        codes: of shape [8, steps], without a count-in; the conductor's are 0.
        players: of the streams that have a part.
        parts: the index of each such stream's part.
        octaves: by how many a stream's notes are higher than the part's.
        centres: the median key of each stream's part.
        off_grid: how many notes are not on a sixteenth.
        deaf: the indices of parts that it does not hear.
    """

    codes: Codes
    players: Mapping[Stream, str]
    parts: Mapping[Stream, int]
    octaves: Mapping[Stream, int]
    centres: Mapping[Stream, float]
    off_grid: int
    deaf: tuple[int, ...]


def seat_parts(score: NoteScore, *, whole: bool) -> tuple[dict[Stream, int], tuple[int, ...]]:
    """The part of each stream, and the parts that find none. A part of chords may have a melody as well.

    `whole` also takes its lowest notes for a bass, so that it goes on with all of its lines.
    """
    roles, seats, deaf = find_roles(score), dict[Stream, int](), list[int]()
    # The longest parts first, so that what is left out is the least.
    for index in sorted(roles, key=lambda index: -len(score.parts[index].notes)):
        free = next((stream for stream in (roles[index], *_SPARE[roles[index]]) if stream not in seats), None)
        if free is None:
            deaf.append(index)
        else:
            seats[free] = index
    if Stream.DRUMS in seats and _has_percussion(score.parts[seats[Stream.DRUMS]]):
        seats[Stream.PERCUSSION] = seats[Stream.DRUMS]
    chords = seats.get(Stream.CHORDS)
    if chords is not None:
        written = texture(score.parts[chords], score.division)
        if Stream.LEAD not in seats and written.melodic >= MELODIC:
            seats[Stream.LEAD] = chords
        if whole and Stream.BASS not in seats and min(n.key for n in score.parts[chords].notes) < BASS_BELOW:
            seats[Stream.BASS] = chords
    return seats, tuple(sorted(deaf))


def _has_percussion(part: NotePart) -> bool:
    return any(_drum(note)[0] is Stream.PERCUSSION for note in part.notes)


def hear(score: NoteScore, grid: StepGrid, steps: int, key: int, level: int, *, whole: bool = False) -> Heard:
    """Reduce a score.

    Args:
        score: the notes.
        grid: their grid.
        steps: how many of the grid's steps are heard.
        key: the tonic's pitch class.
        level: of the model's scores.
        whole: see `seat_parts`.
    """
    seats, deaf = seat_parts(score, whole=whole)
    codes = np.full((len(Stream), steps), NOTHING, np.int64)
    players: dict[Stream, str] = {}
    octaves: dict[Stream, int] = {}
    centres: dict[Stream, float] = {}
    for stream, index in seats.items():
        reader = _PartReader(score.parts[index], stream, grid, steps, level)
        players[stream] = reader.player
        octaves[stream], centres[stream] = reader.octaves, reader.centre
        for step, event in reader.events():
            codes[stream, step] = STOP if event is None else event_code(stream, event, key)
    notes = [note for part in score.parts for note in part.notes]
    off = sum(abs(grid.tick(grid.nearest(note.start)) - note.start) * 8 > grid.step for note in notes)
    return Heard(codes, players, seats, octaves, centres, off, deaf)


@dataclass
class _PartReader:
    """Reads a part as one stream."""

    part: NotePart
    stream: Stream
    grid: StepGrid
    steps: int
    level: int
    player: str = field(init=False)
    octaves: int = field(init=False, default=0)
    centre: float = field(init=False)

    def __post_init__(self) -> None:
        self.centre = median(note.key for note in self.part.notes)
        if self.stream is Stream.DRUMS:
            self.player = kit_of(self.part.program)
        elif self.stream is Stream.PERCUSSION:
            self.player = _percussion_kit(self.part)
        else:
            self.player = nearest_player(self.stream, self.part.program)
            self.octaves = (fold(round(self.centre), LOWEST_PITCH + 6, HIGHEST_PITCH - 6) - round(self.centre)) // 12

    def events(self) -> Iterator[tuple[int, Event | None]]:
        """The events by step; None is a stop."""
        spans = [
            (begin, max(self.grid.nearest(note.end), begin + 1), note)
            for note in self.part.notes
            for begin in (self.grid.nearest(note.start),)
            if 0 <= begin < self.steps
        ]
        begins: dict[int, list[TimedNote]] = {}
        for begin, _, note in spans:
            begins.setdefault(begin, []).append(note)
        if self.stream in PIECES:
            for step, notes in begins.items():
                if (hits := self._hits(notes)) is not None:
                    yield step, hits
            return
        yield from self._held(begins, spans)

    def _held(
        self, begins: Mapping[int, list[TimedNote]], spans: Sequence[tuple[int, int, TimedNote]]
    ) -> Iterator[tuple[int, Event | None]]:
        """Notes or chords, and stops where nothing of the part sounds any more."""
        sounding: list[tuple[int, TimedNote]] = []
        order, following, over = sorted(begins), iter(sorted(spans, key=lambda span: span[0])), 0
        waiting = next(following, None)
        for step in order:
            if 0 < over < step:
                yield over, None
            while waiting is not None and waiting[0] <= step:
                sounding.append(waiting[1:])
                waiting = next(following, None)
            sounding = [(end, note) for end, note in sounding if end > step]
            if self.stream in CHORD_STREAMS:
                yield step, self._chord([note for _, note in sounding], begins[step])
                over = max(end for end, _ in sounding)
            else:
                note = self._line(begins[step])
                yield step, self._note(note)
                over = max(self.grid.nearest(note.end), step + 1)
        if 0 < over < self.steps:
            yield over, None

    def _line(self, notes: Sequence[TimedNote]) -> TimedNote:
        """The lowest of several notes is the bass, and the highest one a melody."""
        pick = min if self.stream is Stream.BASS else max
        return pick(notes, key=lambda note: note.key)

    def _note(self, note: TimedNote) -> Note:
        pitch = fold(note.key + 12 * self.octaves, LOWEST_PITCH, HIGHEST_PITCH)
        return Note(self.player, pitch, _nearest(note.velocity, VELOCITIES[: _NOTE_LEVELS[self.level]]))

    def _chord(self, sounding: Sequence[TimedNote], begun: Sequence[TimedNote]) -> Chord:
        root, quality = name_chord([note.key for note in sounding], self.level)
        loudest = max(note.velocity for note in begun)
        return Chord(self.player, root, quality, _nearest(loudest, CHORD_VELOCITIES[: _CHORD_LEVELS[self.level]]))

    def _hits(self, notes: Sequence[TimedNote]) -> Hits | None:
        pieces = frozenset(
            piece for note in notes for stream, piece in (_drum(note),) if stream is self.stream and piece
        )
        if not pieces:
            return None
        return Hits(self.player, pieces, _nearest(max(note.velocity for note in notes), VELOCITIES[:3]))


def name_chord(keys: Iterable[int], level: int) -> tuple[int, Quality]:
    """The root and the quality of the chord that fits sounding keys best; the lowest one is most likely its root."""
    found = sorted(keys)
    return _name(frozenset(key % 12 for key in found), found[0] % 12, level)


@cache
def _name(sounding: frozenset[int], lowest: int, level: int) -> tuple[int, Quality]:
    def fit(root: int, quality: Quality) -> float:
        classes = {(root + interval) % 12 for interval in INTERVALS[quality]}
        hits = len(classes & sounding)
        return hits - _MISS * (len(classes) - hits) - _EXTRA * len(sounding - classes) + _ROOT * (root == lowest)

    qualities = [quality for quality in Quality if level > 1 or quality < EARLY_QUALITIES]
    return max(((root, quality) for root in range(12) for quality in qualities), key=lambda chord: fit(*chord))


def _drum(note: TimedNote) -> tuple[Stream | None, str | None]:
    """The stream and the piece of a drum key."""
    drum = general_midi().drum_keys.get(note.key)
    if drum is None or drum.kit is None or drum.piece is None:
        return None, None
    stream = Stream.DRUMS if drum.kit == "drums" else Stream.PERCUSSION
    return stream, drum.piece if drum.piece in PIECES[stream] else None


def _percussion_kit(part: NotePart) -> str:
    """The kit that most of the hits are of."""
    kits = Counter(
        drum.kit for note in part.notes if (drum := general_midi().drum_keys.get(note.key)) and drum.kit != "drums"
    )
    found = [kit for kit, _ in kits.most_common() if kit in KITS[Stream.PERCUSSION]]
    return found[0] if found else KITS[Stream.PERCUSSION][0]


def _nearest(velocity: int, known: Sequence[int]) -> int:
    return min(range(len(known)), key=lambda index: abs(known[index] - velocity))
