"""Gathers what the phrases of a prompt say together: who plays, what is refused, and which genre."""

from collections.abc import Iterable, Iterator, Sequence

from shared.prompt.genres import load_genres
from shared.prompt.lexicon import Sense
from shared.prompt.phrases import Phrase
from shared.prompt.tokens import Gap

_BASSES = ("bass guitar", "synth bass", "double bass")
# A name that says only the kind gives way to one of the kind.
_KINDS = {"drums": ("drum machine",), "bass": _BASSES}
_GUITARS = ("acoustic guitar", "electric guitar", "distorted guitar")
# What "no four on the floor" refuses.
FOUR_ON_THE_FLOOR = "four on the floor"
_PIECES = {"kick", "snare", "claps", "hi-hats", "cymbals"}


def read_genre(phrases: Sequence[Phrase]) -> str | None:
    """The genre: of neighbours the last one ("jazz funk"), else the first that describes no instrument."""
    found = [
        (_rank(phrases, place), place)
        for place, phrase in enumerate(phrases)
        if phrase.sense is not None and phrase.sense.genre and not (phrase.refused or phrase.at_times)
    ]
    if not found:
        return None
    sense = phrases[min(found)[1]].sense
    return sense.genre if sense is not None else None


def _rank(phrases: Sequence[Phrase], place: int) -> int:
    """0 for a genre of its own, 1 for one that describes another or an instrument, 2 for a form such as a march."""
    sense = phrases[place].sense
    if sense is not None and sense.form:
        return 2
    after = phrases[place + 1] if place + 1 < len(phrases) else None
    if after is None or after.gap > Gap.SPACE or after.sense is None:
        return 0
    genre = load_genres()[sense.genre] if sense is not None and sense.genre else None
    # "grunge rock" is grunge.
    is_head = (
        after.sense.genre is not None and not after.sense.form and not (genre and genre.parent == after.sense.genre)
    )
    return int(is_head or bool(after.sense.instruments and not after.sense.weak))


def read_instruments(phrases: Sequence[Phrase], genre: str | None, *, only: bool) -> tuple[str, ...]:
    """The instruments that are wanted, in the prompt's order."""
    only_strong = only and any(phrase.is_strong for phrase in phrases)
    refused = {name for phrase in phrases for name in refusals(phrase)}
    senses = [
        sense
        for phrase in phrases
        if (sense := phrase.sense) is not None and (phrase.is_strong or (not only_strong and _weak(phrase)))
    ]
    names = dict.fromkeys(
        guitar_of(genre) if name == "guitar" else name
        for sense in senses
        for name in sense.instruments
        if not (name in refused and (sense.weak or len(sense.instruments) > 1))
    )
    return tuple(name for name in names if not any(other in names for other in _KINDS.get(name, ())))


def _weak(phrase: Phrase) -> Sense | None:
    sense = phrase.sense
    is_weak = sense is not None and sense.weak and bool(sense.instruments)
    return sense if is_weak and not (phrase.refused or phrase.at_times) else None


def guitar_of(genre: str | None) -> str:
    """The guitar of a genre, or of the genre it belongs to."""
    genres = load_genres()
    for name in (genre, genres[genre].parent if genre else None):
        if name is not None:
            for instrument in genres[name].instruments:
                if instrument in _GUITARS:
                    return instrument
    return "acoustic guitar"


def read_refusals(phrases: Sequence[Phrase], wanted: Iterable[str]) -> frozenset[str]:
    """The instruments and "vocals" that are not wanted. Without vocals there is no choir, unless it is named."""
    refused = {name for phrase in phrases for name in refusals(phrase)}
    if "vocals" in refused:
        refused.add("choir")
    return frozenset(refused - of_kinds(wanted))


def of_kinds(names: Iterable[str]) -> set[str]:
    """Instruments, and the kinds that they are of: with a drum machine there are drums."""
    found = set(names)
    return found | {kind for kind, members in _KINDS.items() if found.intersection(members)}


def mark_wanted(phrases: Iterable[Phrase], wanted: Iterable[str | None]) -> None:
    """Mark the refusals of what the prompt asks for: they count for nothing."""
    kinds = of_kinds(name for name in wanted if name is not None)
    for phrase in phrases:
        names = set(refusals(phrase)) if phrase.refused else set()
        if names and names <= kinds:
            phrase.why = "wanted"


def read_other_pieces(phrases: Sequence[Phrase]) -> frozenset[str]:
    """The pieces of the drums that "only hi-hats" leaves out; none if the prompt names the drums as a whole."""
    named = [
        sense for phrase in phrases if phrase.is_strong and (sense := phrase.sense) and "drums" in sense.instruments
    ]
    wanted = {piece for sense in named for piece in sense.pieces}
    if not wanted or not all(sense.pieces for sense in named):
        return frozenset()
    return frozenset(_PIECES - wanted)


def refusals(phrase: Phrase) -> Iterator[str]:
    """What a phrase refuses."""
    sense = phrase.sense
    if sense is None or phrase.at_times or phrase.why is not None:
        return
    if not phrase.refused:
        yield from sense.refuses
        return
    if sense.four_on_the_floor:
        yield FOUR_ON_THE_FLOOR
        return
    yield from sense.pieces
    if not sense.piece:
        yield from sense.any_of or sense.instruments
    kinds = () if sense.instruments else (sense.mood, sense.genre)
    yield from (name for name in (sense.part, sense.section, *kinds) if name is not None)
