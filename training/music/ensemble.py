"""Assigns a caption's instruments, or a genre's usual ones, to the streams of a score."""

import random
from dataclasses import dataclass

from training.music.spec import Spec
from training.music.style import Style, usual_instruments
from worker.engine.sampler.instruments import INSTRUMENTS, Stream
from worker.engine.sampler.seats import SEATS

B, C, P, A, L, D, R = list(Stream)[1:]

KIT_WORDS = ("drums", "drum machine")
SETS = ("percussion", "congas", "timpani", "vinyl crackle")
BASSES = ("bass guitar", "synth bass", "double bass")

# The preferred streams of each instrument, in order; a style's `roles` come before. The sampler's, but for those that
# the training data has in fewer streams or in another order.
_PREFERRED: dict[str, tuple[Stream, ...]] = {
    **{name: streams for name, streams in SEATS.items() if name not in (*KIT_WORDS, *SETS, "tambourine", "bass")},
    "piano": (C, L, A, B, P),
    **dict.fromkeys(("violin", "flute", "clarinet", "saxophone"), (L,)),
}
_LETTERS = dict(zip("BCPALDR", list(Stream)[1:], strict=True))
_HARMONIC = {C, P, A}
_LOW_PLAYERS = ("piano", "cello", "strings", "organ", "electric piano", "brass")


@dataclass(frozen=True, slots=True)
class Ensemble:
    """The instruments of a piece.

    Attributes:
        parts: the instruments or kits of each stream, which take turns.
        guests: instruments that accompany those that the caption names.
        featured: the streams of the named instruments, and of requested drums or bass.
    """

    parts: dict[Stream, tuple[str, ...]]
    guests: tuple[str, ...] = ()
    featured: frozenset[Stream] = frozenset()


def gather(spec: Spec, style: Style, source: random.Random) -> Ensemble:
    """Choose the instruments of a piece: all named ones, and up to two guests for a single one that is not solo."""
    members = list(spec.instruments) or _usual(spec, style, source)
    guests = _guests(spec, style, source) if spec.instruments and not spec.solo else []
    parts = _seats(members + guests, style, bass=spec.bass is not False)
    _double(parts, members, spec, source)
    featured = {stream for stream, names in parts.items() if set(names) & set(spec.instruments)}
    featured |= {stream for stream, words in ((D, KIT_WORDS), (R, SETS)) if set(words) & set(spec.instruments)}
    featured |= {stream for stream, asked in ((D, spec.drums), (B, spec.bass)) if asked}
    return Ensemble({**parts, **_kits(members + guests, style, source)}, tuple(guests), frozenset(featured))


def _usual(spec: Spec, style: Style, source: random.Random) -> list[str]:
    """The genre's instruments, and requested drums or bass."""
    extras = [name for name, chance in style.extras.items() if source.random() < chance]
    members = [name for name in [*usual_instruments(style), *extras] if _welcome(name, spec)]
    return [*members, *_asked(members, spec, style)]


def _welcome(name: str, spec: Spec) -> bool:
    if name in (*KIT_WORDS, "percussion", "congas"):
        return spec.drums is not False
    return spec.bass is not False or name not in (*BASSES, "cello")


def _asked(members: list[str], spec: Spec, style: Style) -> list[str]:
    """Requested drums and bass that no instrument in `members` covers."""
    asked = []
    if spec.drums and not set(KIT_WORDS) & set(members):
        asked.append("drum machine" if style.kits[0] == "electronic" else "drums")
    if spec.bass and not set(BASSES) & set(members):
        asked.append(_bass_of(style))
    return asked


def _bass_of(style: Style) -> str:
    return next((name for name in usual_instruments(style) if name in BASSES), "bass guitar")


def _guests(spec: Spec, style: Style, source: random.Random) -> list[str]:
    """Guests for a single named instrument: chords if it plays none, then a bass or drums."""
    asked = _asked(list(spec.instruments), spec, style)
    if len(spec.instruments) > 1:
        return asked
    named = spec.instruments[0]
    chordal = [name for name in usual_instruments(style) if _HARMONIC & set(_PREFERRED.get(name, ())) and name != named]
    guests = list(asked)
    if not _HARMONIC & set(_PREFERRED.get(named, ())):
        guests.append(chordal[0] if chordal else "piano")
    rhythm = [_bass_of(style), *(name for name in usual_instruments(style) if name in (*KIT_WORDS, "percussion"))]
    fitting = [name for name in rhythm if name != named and name not in guests and _welcome(name, spec)]
    if named in BASSES or named in SETS:
        fitting = [name for name in fitting if name not in BASSES]
    source.shuffle(fitting)
    return [*guests, *fitting][:2]


def _seats(members: list[str], style: Style, *, bass: bool) -> dict[Stream, tuple[str, ...]]:
    """Assign a stream to each melodic instrument, the least flexible first. Instruments may share a stream."""
    seats: dict[Stream, tuple[str, ...]] = {}
    melodic = [name for name in members if name in _PREFERRED]
    for name in sorted(melodic, key=lambda name: len(_wishes(name, style, bass=bass))):
        wishes = _wishes(name, style, bass=bass)
        stream = next((wish for wish in wishes if wish not in seats), wishes[0])
        seats[stream] = (*seats.get(stream, ()), name)
    return seats


def _wishes(name: str, style: Style, *, bass: bool) -> tuple[Stream, ...]:
    own = tuple(_LETTERS[letter] for letter in style.roles.get(name, ""))
    wishes = tuple(dict.fromkeys((*own, *_PREFERRED[name])))
    return wishes if bass else tuple(wish for wish in wishes if wish is not B) or wishes


def _double(parts: dict[Stream, tuple[str, ...]], members: list[str], spec: Spec, source: random.Random) -> None:
    """Fill missing parts with instruments that can play a second one, such as a piano's left hand."""
    melodic = [name for name in members if name in _PREFERRED]
    most = 3 if len(melodic) == 1 else 2
    for stream in (C, P, A, L, B):
        lacking = stream not in parts and not (stream in _HARMONIC and _HARMONIC & set(parts))
        able = [name for name in melodic if _can_double(name, stream) and _load(parts, name) < most]
        if lacking and able and not (stream is B and spec.bass is False):
            parts[stream] = (able[0],)
    if not _HARMONIC & set(parts):
        _second_voice(parts)
    if len(melodic) == 1 and C in parts and A not in parts and melodic[0] in INSTRUMENTS[A] and source.random() < 0.6:
        parts[A] = (melodic[0],)


def _can_double(name: str, stream: Stream) -> bool:
    """Whether an instrument can play a stream: monophonic ones hold no chords, and the bass needs a low register."""
    if stream is P:
        return P in _PREFERRED[name] and name != "cello"
    return name in INSTRUMENTS[stream] and (stream is not B or name in _LOW_PLAYERS)


def _second_voice(parts: dict[Stream, tuple[str, ...]]) -> None:
    """If only melody instruments play, the last of them accompanies the others."""
    *first, last = parts.get(L, ("",))
    if first and last in INSTRUMENTS[P]:
        parts[L], parts[P] = tuple(first), (last,)


def _load(parts: dict[Stream, tuple[str, ...]], name: str) -> int:
    return sum(name in names for names in parts.values())


def _kits(members: list[str], style: Style, source: random.Random) -> dict[Stream, tuple[str, ...]]:
    """The kits for the vocabulary's words: "drum machine" is the electronic kit, "drums" any other."""
    kits: dict[Stream, tuple[str, ...]] = {}
    acoustic = [kit for kit in style.kits if kit != "electronic"] or ["hard"]
    drums = {"drums": source.choice(acoustic), "drum machine": "electronic"}
    found = tuple(drums[name] for name in members if name in drums)
    sets = tuple(style.percussion if name == "percussion" else name for name in members if name in SETS)
    if found:
        kits[D] = found
    if sets:
        kits[R] = sets[:1]
    return kits
