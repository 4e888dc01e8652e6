"""Who plays what: from a caption's instruments, or a genre's usual ones, to the streams of a score."""

import random
from dataclasses import dataclass

from gateway.prompts import VOCABULARY
from training.music.spec import Spec
from training.music.style import Style
from worker.engine.sampler.instruments import INSTRUMENTS, Stream

B, C, P, A, L, D, R = list(Stream)[1:]

KIT_WORDS = ("drums", "drum machine")
SETS = ("percussion", "congas", "timpani", "vinyl crackle")
BASSES = ("bass guitar", "synth bass", "double bass")
_USUAL = {genre.name: genre.instruments for genre in VOCABULARY.genres}

# Where an instrument is put first, next, ...; a style's `roles` come before.
_PREFERRED: dict[str, tuple[Stream, ...]] = {
    "piano": (C, L, A, B, P),
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
    **dict.fromkeys(("violin", "fiddle", "flute", "clarinet", "saxophone", "trumpet", "harmonica"), (L,)),
    **dict.fromkeys(BASSES, (B,)),
}
_LETTERS = dict(zip("BCPALDR", list(Stream)[1:], strict=True))
_HARMONIC = {C, P, A}
_LOW_PLAYERS = ("piano", "cello", "strings", "organ", "electric piano", "brass")


@dataclass(frozen=True, slots=True)
class Ensemble:
    """The players.

    Attributes:
        parts: the instruments of each stream, which take turns; of drums and percussion the kits.
        guests: instruments that the caption does not name although it names one.
        featured: the streams of those that it names, and of a beat or a bass that it asks for.
    """

    parts: dict[Stream, tuple[str, ...]]
    guests: tuple[str, ...] = ()
    featured: frozenset[Stream] = frozenset()


def gather(spec: Spec, style: Style, source: random.Random) -> Ensemble:
    """The players of a piece. What is named plays; one that is named alone, and not solo, has up to two guests."""
    members = list(spec.instruments) or _usual(spec, style, source)
    guests = _guests(spec, style, source) if spec.instruments and not spec.solo else []
    parts = _seats(members + guests, style, bass=spec.bass is not False)
    _double(parts, members, spec, source)
    featured = {stream for stream, names in parts.items() if set(names) & set(spec.instruments)}
    featured |= {stream for stream, words in ((D, KIT_WORDS), (R, SETS)) if set(words) & set(spec.instruments)}
    featured |= {stream for stream, asked in ((D, spec.drums), (B, spec.bass)) if asked}
    return Ensemble({**parts, **_kits(members + guests, style, source)}, tuple(guests), frozenset(featured))


def _usual(spec: Spec, style: Style, source: random.Random) -> list[str]:
    """The genre's own, and what is asked for beside them."""
    extras = [name for name, chance in style.extras.items() if source.random() < chance]
    members = [name for name in [*_USUAL[style.name], *extras] if _welcome(name, spec)]
    return [*members, *_asked(members, spec, style)]


def _welcome(name: str, spec: Spec) -> bool:
    if name in (*KIT_WORDS, "percussion", "congas"):
        return spec.drums is not False
    return spec.bass is not False or name not in (*BASSES, "cello")


def _asked(members: list[str], spec: Spec, style: Style) -> list[str]:
    """Drums and a bass that the caption wants and nobody plays yet."""
    asked = []
    if spec.drums and not set(KIT_WORDS) & set(members):
        asked.append("drum machine" if style.kits[0] == "electronic" else "drums")
    if spec.bass and not set(BASSES) & set(members):
        asked.append(_bass_of(style))
    return asked


def _bass_of(style: Style) -> str:
    return next((name for name in _USUAL[style.name] if name in BASSES), "bass guitar")


def _guests(spec: Spec, style: Style, source: random.Random) -> list[str]:
    """Company for an instrument that is named alone: chords if it has none, then a bass or drums."""
    asked = _asked(list(spec.instruments), spec, style)
    if len(spec.instruments) > 1:
        return asked
    named = spec.instruments[0]
    chordal = [name for name in _USUAL[style.name] if _HARMONIC & set(_PREFERRED.get(name, ())) and name != named]
    guests = list(asked)
    if not _HARMONIC & set(_PREFERRED.get(named, ())):
        guests.append(chordal[0] if chordal else "piano")
    rhythm = [_bass_of(style), *(name for name in _USUAL[style.name] if name in (*KIT_WORDS, "percussion"))]
    fitting = [name for name in rhythm if name != named and name not in guests and _welcome(name, spec)]
    if named in BASSES or named in SETS:
        fitting = [name for name in fitting if name not in BASSES]
    source.shuffle(fitting)
    return [*guests, *fitting][:2]


def _seats(members: list[str], style: Style, *, bass: bool) -> dict[Stream, tuple[str, ...]]:
    """One stream for each melodic instrument, the least flexible first; who finds none free takes turns."""
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
    """Players who can take a second part do, where one is missing: a pianist's left hand, a guitarist's solo."""
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
    """Bows and horns have one voice, so that they hold no chords; a low part needs a low instrument."""
    if stream is P:
        return P in _PREFERRED[name] and name != "cello"
    return name in INSTRUMENTS[stream] and (stream is not B or name in _LOW_PLAYERS)


def _second_voice(parts: dict[Stream, tuple[str, ...]]) -> None:
    """Where only melody instruments play, the last of them accompanies the others."""
    *first, last = parts.get(L, ("",))
    if first and last in INSTRUMENTS[P]:
        parts[L], parts[P] = tuple(first), (last,)


def _load(parts: dict[Stream, tuple[str, ...]], name: str) -> int:
    return sum(name in names for names in parts.values())


def _kits(members: list[str], style: Style, source: random.Random) -> dict[Stream, tuple[str, ...]]:
    """Kits for the words: a drum machine is the electronic kit, drums are any other."""
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
