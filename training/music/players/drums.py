"""Drums: the style's groove, a crash where a section begins and a fill where it ends; and percussion."""

import random
from dataclasses import replace
from functools import cache
from importlib.resources import files

import msgspec

from training.music.form import Bar
from training.music.line import Line, each_bar
from training.music.pattern import Repertoire
from training.music.plan import PiecePlan
from training.music.style import Rows
from worker.engine.sampler.instruments import CRACKLE, Stream
from worker.engine.sampler.score import ROLLED, Hits, Section

_DRUMS = {
    "k": "kick",
    "s": "snare",
    "c": "clap_or_rim",
    "h": "closed_hat",
    "o": "open_hat",
    "r": "ride",
    "C": "crash",
}
_PERCUSSION = {
    "t": "high_tom",
    "T": "low_tom",
    "s": "shaker_or_tambourine",
    "c": "high_conga",
    "C": "low_conga",
    "m": "timpani",
}
_ACCENTS = {"g": 0, "x": 1, "X": 2}
_SOFT_KITS = ("brushes", "lofi")


class Fill(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows that replace the end of a bar; `t` and `T` are toms."""

    rows: Rows

    @property
    def steps(self) -> int:
        return len(next(iter(self.rows.values())))


@cache
def _fills() -> dict[str, tuple[Fill, ...]]:
    data = files("training.music").joinpath("data/fills.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, tuple[Fill, ...]])


def play_drums(plan: PiecePlan, source: random.Random) -> tuple[Line, Line]:
    """The drums, and the toms of their fills, which belong to the percussion stream."""
    line, toms = Line(), Line()
    repertoire = Repertoire(plan.style.drums, plan.header.steps, source)
    fill = source.choice(_fills()[plan.style.fills])
    shift = max(-1, min(1, plan.velocity))
    asked = Stream.DRUMS in plan.ensemble.featured
    for bar, kit, _ in each_bar(plan.bars, Stream.DRUMS, plan.ensemble.parts[Stream.DRUMS], line):
        # Requested drums play at least at medium energy; the lowest level has only a few hits.
        rows = dict(repertoire.rows(replace(bar, level=max(bar.level, 1)) if asked else bar))
        if bar.section is Section.BUILD:
            rows = build_up(bar, plan)
        elif bar.fill:
            rows = _filled(rows, fill, plan.header.steps)
        if bar.arrives and plan.style.crash and kit not in _SOFT_KITS:
            rows["C"] = "X" + rows.get("C", "." * plan.header.steps)[1:]
        _strike(line, bar, kit, rows, plan)
        if bar.fill:
            steps = plan.header.steps
            # A fill longer than the bar loses its beginning.
            tom_rows = {piece: row.rjust(steps, ".")[-steps:] for piece, row in fill.rows.items() if piece in "tT"}
            _strike(toms, bar, "electronic" if kit == "electronic" else "percussion", tom_rows, plan, _PERCUSSION)
    if plan.style.ending == "button" and Stream.DRUMS in plan.bars[-1].streams:
        kit = plan.ensemble.parts[Stream.DRUMS][0]
        last = {"kick"} if kit in _SOFT_KITS or not plan.style.crash else {"kick", "crash"}
        line.play(plan.end_step, Hits(kit, frozenset(last), max(0, min(2, 1 + shift))))
    return line, toms


def _filled(rows: Rows, fill: Fill, steps: int) -> Rows:
    """The groove, replaced by the fill from where it begins."""
    kept = max(0, steps - fill.steps)
    found = {piece: row[:kept] + "." * (steps - kept) for piece, row in rows.items()}
    for piece, row in fill.rows.items():
        if piece not in "tT":
            found[piece] = found.get(piece, "." * steps)[:kept] + row[-(steps - kept) :]
    return found


def play_percussion(plan: PiecePlan, source: random.Random) -> Line:
    """The kit's pattern; vinyl crackle is switched on where sections begin."""
    line = Line()
    style = plan.style
    (kit,) = plan.ensemble.parts[Stream.PERCUSSION]
    groove = {"congas": style.congas, "timpani": style.timpani}.get(kit, style.shaker)
    repertoire = Repertoire((groove,), plan.header.steps, source)
    for bar in plan.bars:
        if kit == CRACKLE and bar.place == 0:
            line.events[bar.start] = Hits(CRACKLE, frozenset({"shaker_or_tambourine"}), 0)
        elif kit != CRACKLE and Stream.PERCUSSION in bar.streams:
            _strike(line, bar, kit, repertoire.rows(bar), plan, _PERCUSSION)
    return line


def build_up(bar: Bar, plan: PiecePlan) -> Rows:
    """Snare drums on ever shorter notes, a kick on the beats until the last bar, and a gap before the drop."""
    steps, beats = plan.header.steps, plan.measure.beats
    share = (bar.place + 1) / bar.length
    every = 1 if share > 0.75 else 2 if share > 0.5 else 4
    snares = ["X" if step in beats else "x" if step % every == 0 else "." for step in range(steps)]
    if every == 4:
        snares = ["x" if step in beats else "." for step in range(steps)]
    if bar.is_last:
        snares[beats[-1] :] = "." * (steps - beats[-1])
    kicks = "".join("x" if step in beats and not bar.is_last else "." for step in range(steps))
    return {"s": "".join(snares), "k": kicks}


def _strike(line: Line, bar: Bar, kit: str, rows: Rows, plan: PiecePlan, letters: dict[str, str] | None = None) -> None:
    """Strike rows of drums, or of percussion if that has the letters. Figures are rolls of a closed hi-hat."""
    for step in range(max((len(row) for row in rows.values()), default=0)):
        found = {piece: row[step] for piece, row in rows.items() if row[step] != "."}
        rolls = [int(letter) for letter in found.values() if letter.isdigit()]
        if rolls and len(found) == 1:
            line.play(bar.start + step, Hits(kit, ROLLED, roll=rolls[0]))
        elif found:
            struck = {(letters or _DRUMS)[piece] for piece in found}
            accent = max(_ACCENTS.get(letter, 1) for letter in found.values())
            line.play(bar.start + step, Hits(kit, frozenset(struck), _accent(bar, accent, plan, drums=letters is None)))


def _accent(bar: Bar, accent: int, plan: PiecePlan, *, drums: bool) -> int:
    """The accent with the mood's and the bar's changes. Drums have three, percussion six."""
    accent = max(0, min(2, accent + plan.velocity))
    if drums:
        return max(0, accent - 1) if plan.level > 1 and bar.push < 0 else accent
    return plan.note_velocity(bar, accent)
