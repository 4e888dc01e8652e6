"""Gives the instruments that a prompt names a stream each. A name may mean any of several players: "bass", "drums"."""

from collections.abc import Mapping, Sequence

from worker.engine.sampler.instruments import KITS, PLAYERS, Stream

B, C, P, A, L, D, R = list(Stream)[1:]

BASSES = ("bass guitar", "synth bass", "double bass")
# The streams of each instrument, the most fitting first.
SEATS: dict[str, tuple[Stream, ...]] = {
    "piano": (C, L, A, P, B),
    "electric piano": (C, A, P, B),
    "organ": (P, C, B),
    "synthesizer": (L, A, C, P),
    "pads": (P,),
    "bells": (A, C),
    "marimba": (A, C),
    "acoustic guitar": (C, A),
    "electric guitar": (C, L, A),
    "distorted guitar": (C, L, B),
    "banjo": (A, C),
    "mandolin": (A, C),
    "harp": (A, C, P),
    "cello": (B, P),
    "strings": (P, A, C, B),
    "brass": (C, P, B),
    "choir": (P,),
    **dict.fromkeys(("violin", "flute", "clarinet", "saxophone"), (L, P)),
    **dict.fromkeys(("fiddle", "trumpet", "harmonica"), (L,)),
    **dict.fromkeys((*BASSES, "bass"), (B,)),
    **dict.fromkeys(("drums", "drum machine"), (D,)),
    **dict.fromkeys(("percussion", "tambourine", "congas", "vinyl crackle"), (R,)),
    "timpani": (R, B),
}
# The players of a name that means any of several.
_ANY = {
    "bass": BASSES,
    "drums": tuple(kit for kit in KITS[D] if kit != "electronic"),
    "drum machine": ("electronic",),
    "percussion": ("percussion", "tambourine", "cinematic", "electronic"),
}
# The streams of the parts that a prompt may ask for or refuse.
PARTS = {"melody": L, "chords": C, "arpeggio": A}
# What plays without drums: all other kits hit something.
_QUIET = ("vinyl crackle",)


def players_of_name(name: str, stream: Stream) -> tuple[str, ...]:
    """The players of a stream that a name may mean; none if the stream has none."""
    return tuple(player for player in _ANY.get(name, (name,)) if player in PLAYERS[stream])


def seat(names: Sequence[str], closed: frozenset[Stream] = frozenset()) -> dict[Stream, tuple[str, ...]]:
    """The names in each stream: one, while there are streams for all of them.

    Args:
        names: known ones; "bass" is left out beside a bass.
        closed: streams that no name may have if it can have another one.
    """
    wanted = [name for name in dict.fromkeys(names) if name != "bass" or not set(BASSES) & set(names)]
    open_seats = {name: [stream for stream in SEATS[name] if stream not in closed] or SEATS[name] for name in wanted}
    seated: dict[Stream, str] = {}
    late = [name for name in wanted if not _find(name, open_seats, seated, set())]
    shared = {stream: [name] for stream, name in seated.items()}
    for name in late:
        shared[open_seats[name][0]].append(name)
    return {stream: tuple(sorted(found, key=wanted.index)) for stream, found in sorted(shared.items())}


def _find(name: str, seats: Mapping[str, Sequence[Stream]], seated: dict[Stream, str], tried: set[Stream]) -> bool:
    """Seat a name, and move others if they have another stream (Kuhn's algorithm)."""
    free = [stream for stream in seats[name] if stream not in seated]
    for stream in [*free, *(taken for taken in seats[name] if taken not in free)]:
        if stream in tried:
            continue
        tried.add(stream)
        if stream not in seated or _find(seated[stream], seats, seated, tried):
            seated[stream] = name
            return True
    return False


def is_refused(player: str, stream: Stream, refused: frozenset[str]) -> bool:
    """Whether a refusal excludes a player: by its name, its part, or "bass", "drums", "vocals", which mean a kind."""
    if any(PARTS.get(name) is stream for name in refused):
        return True
    if (stream is B and "bass" in refused) or (player == "choir" and "vocals" in refused):
        return True
    if stream in KITS and "drums" in refused and player not in _QUIET:
        return True
    return any(player in players_of_name(name, stream) for name in refused if name in SEATS)
