"""Prompts as people write them, and what each wishes for: `prompts.json`."""

from pathlib import Path
from typing import Literal

import msgspec

Half = Literal["tune", "unseen"]
Beat = Literal["four on the floor", "backbeat", "half-time", "three three two", "off-beat"]


class Wishes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a prompt states, and nothing else.

    Attributes:
        tempo: in quarter notes a minute.
        tempo_range: the slowest and the fastest tempo that its words allow.
        key: in the long form, such as A minor.
        mode: major or minor, without a tonic.
        meter: such as 7/8.
        drums: whether there are any.
        bass: whether there is one.
        heard: of each list, one instrument plays.
        refused: none of these plays.
        only: nothing but these plays.
        bars: the length.
        seconds: the length.
        beat: of the drums, as the genre has it.
        ignored: words that the model must report, because it cannot follow them.
    """

    tempo: float | None = None
    tempo_range: tuple[float, float] | None = None
    key: str | None = None
    mode: Literal["major", "minor"] | None = None
    meter: str | None = None
    drums: bool | None = None
    bass: bool | None = None
    heard: tuple[tuple[str, ...], ...] = ()
    refused: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    bars: int | None = None
    seconds: float | None = None
    beat: Beat | None = None
    ignored: tuple[str, ...] = ()


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A prompt.

    Attributes:
        kind: what is hard about it, such as "negation".
        half: whether it may be looked at while the reader and the planner are improved. The others only count.
        band: whether it asks for a genre that a band with a lead, a bass and drums plays.
    """

    prompt: str
    kind: str
    half: Half
    wish: Wishes = Wishes()
    band: bool = False


def load_cases(file: Path) -> list[Case]:
    """All cases of a file.

    Raises:
        msgspec.ValidationError: if it has a field that no check knows.
    """
    return msgspec.json.decode(file.read_bytes(), type=list[Case])
