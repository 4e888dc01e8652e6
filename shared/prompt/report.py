"""Tells in plain words what a prompt's phrases mean, and which words mean nothing to the reader."""

from collections.abc import Iterator, Sequence

from shared.prompt.lexicon import Sense
from shared.prompt.phrases import Phrase
from shared.prompt.plain import Plain
from shared.prompt.reading import SectionWish, Understood
from shared.prompt.summary import guitar_of, refusals

# Claims that count only with a section.
_OF_SECTIONS = ("part bars", "bar", "moment")
_ONLY = "only these instruments"


def report(
    phrases: Sequence[Phrase], plain: Plain, genre: str | None, *, loop: bool
) -> tuple[list[Understood], list[str]]:
    """What is understood and what is ignored, in the prompt's order; `loop` is whether the whole is to be a loop."""
    understood: list[Understood] = []
    ignored: list[str] = []
    for phrase in phrases:
        meaning = _meaning(phrase, genre)
        if phrase.cue == "loop" and not phrase.used:
            meaning = "loop" if loop else ""
        if meaning:
            understood.append(Understood(_written(phrase, plain), meaning))
        elif not _is_silent(phrase):
            ignored.append(_written(phrase, plain))
    return _merged(understood), list(dict.fromkeys(ignored))


def _merged(understood: list[Understood]) -> list[Understood]:
    return list(dict.fromkeys(understood))


def _written(phrase: Phrase, plain: Plain) -> str:
    places = (phrase, phrase.marker) if phrase.marker is not None else (phrase,)
    return plain.written(min(place.start for place in places), max(place.end for place in places))


def _is_silent(phrase: Phrase) -> bool:
    """Whether a phrase that means nothing need not be told: it only joins others."""
    return phrase.is_function or phrase.cue in ("no", "except", "keep", "only", "nothing else") or phrase.used


def _meaning(phrase: Phrase, genre: str | None) -> str:
    if phrase.claim is not None:
        is_kept = phrase.used if phrase.claim.kind in _OF_SECTIONS else phrase.claim.kind != "other"
        return phrase.claim.meaning if is_kept else ""
    sense = phrase.sense
    if sense is None or phrase.at_times:
        return ""
    if sense.at is not None:
        return sense.says or "" if phrase.used else ""
    if phrase.used and sense.cue in ("only", "solo", "loop", "nothing else"):
        return _ONLY
    if phrase.refused:
        return _refusal(phrase, sense, genre)
    return "" if sense.impossible else ", ".join(_meanings(sense, genre))


def _refusal(phrase: Phrase, sense: Sense, genre: str | None) -> str:
    names = [name for name in refusals(phrase) if name not in (sense.mood, sense.genre)]
    if (sense.impossible or sense.piece) and not names:
        return ""
    if names:
        called = SectionWish(sense.section).called if sense.section is not None else ""
        return "no " + (" and no ".join(sense.pieces or sense.instruments) or called or " and no ".join(names))
    meaning = sense.says if sense.tempo is not None else ", ".join(_meanings(sense, genre))
    return f"not {meaning}"


def _meanings(sense: Sense, genre: str | None) -> Iterator[str]:
    if sense.says is not None and sense.tempo is None:
        yield sense.says
    yield from (guitar_of(genre) if name == "guitar" else name for name in sense.instruments if sense.says is None)
    if sense.refuses and sense.says is None:
        yield f"no {' and no '.join(sense.refuses)}"
    if sense.genre is not None and not (sense.form and sense.instruments):
        yield sense.genre
    if sense.meter is not None:
        yield sense.meter
    if sense.mood is not None:
        yield f"mood: {sense.mood}"
    if sense.tempo is not None:
        yield f"{sense.says}: {sense.tempo[0]}–{sense.tempo[1]} BPM"
    if sense.energy is not None and sense.mood is None:
        yield f"energy: {sense.energy}"
    section = SectionWish(sense.section).called if sense.section is not None else None
    for plain in (sense.mode, sense.part, section, sense.feel):
        if plain is not None:
            yield plain
