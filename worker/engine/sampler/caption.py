"""Writes a plan in the grammar of the captions that the model was trained on (training/music/captions.py).

The model knows few words, and takes no notice of others. So it does not get the client's sentence, but this one.
"""

from collections.abc import Sequence
from fractions import Fraction

from shared.music import DEFAULT_METER, Key


def write_caption(
    *,
    genre: str | None,
    mood: str | None,
    tempo: Fraction | None,
    key: Key | None,
    meter: str,
    instruments: Sequence[str],
    alone: bool,
    refused: frozenset[str],
) -> str:
    """A caption, such as "dark house track with piano, 124 bpm, in A minor, no drums".

    Args:
        genre: as the model knows it.
        mood: one of `MOODS`.
        tempo: in quarter notes a minute.
        key: see `Key`.
        meter: 4/4 is not worth a word.
        instruments: those that the caption names.
        alone: whether nothing else plays.
        refused: of which "drums" and "bass" have words.
    """
    solo = alone and len(instruments) == 1
    head = " ".join([*([mood] if mood else []), *([genre] if genre else []), *([] if solo else ["track"])])
    parts = [
        f"{head} {_with(instruments, solo=solo)}".strip(),
        f"{round(tempo)} bpm" if tempo else "",
        f"in {key.name}" if key else "",
        f"in {meter} time" if meter != DEFAULT_METER else "",
        *(f"no {name}" for name in ("drums", "bass") if name in refused and not alone),
    ]
    return ", ".join(part for part in parts if part)


def _with(instruments: Sequence[str], *, solo: bool) -> str:
    if not instruments:
        return ""
    if solo:
        return f"solo {instruments[0]}"
    *others, last = instruments
    return f"with {', '.join(others)} and {last}" if others else f"with {last}"
