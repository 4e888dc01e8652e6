"""Tells in plain words what a prompt's phrases mean, and which words mean nothing to the reader."""

from collections.abc import Iterator, Sequence

from shared.prompt.genres import load_genres
from shared.prompt.lexicon import Sense
from shared.prompt.phrases import Phrase
from shared.prompt.plain import Plain
from shared.prompt.reading import Ignored, SectionWish, Understood
from shared.prompt.summary import FOUR_ON_THE_FLOOR, guitar_of, refusals
from shared.prompt.tokens import Gap
from shared.prompt.why import OF_SECTIONS, why_ignored

_ONLY = "only these instruments"


def report(
    phrases: Sequence[Phrase], plain: Plain, genre: str | None, *, loop: bool
) -> tuple[list[Understood], list[Ignored]]:
    """What is understood and what is ignored, in the prompt's order; `loop` is whether the whole is to be a loop."""
    understood: list[Understood] = []
    ignored: list[Ignored] = []
    for place, phrase in enumerate(phrases):
        meaning = _meaning(phrase, genre)
        if phrase.cue == "loop" and not phrase.used:
            meaning = "loop" if loop else ""
        if meaning:
            understood.append(Understood(_written(phrase, plain), meaning))
        elif not _is_silent(phrase):
            words = plain.written(_start(phrases, place), phrase.end)
            ignored.append(Ignored(words, why_ignored(phrase)))
    return list(dict.fromkeys(understood)), list({each.words: each for each in reversed(ignored)}.values())[::-1]


def _written(phrase: Phrase, plain: Plain) -> str:
    marker = phrase.marker
    if marker is None:
        return plain.written(phrase.start, phrase.end)
    return plain.written(min(phrase.start, marker.start), max(phrase.end, marker.end))


def _start(phrases: Sequence[Phrase], place: int) -> int:
    """Where an ignored phrase begins, with the "no" or "without" before it."""
    phrase, before = phrases[place], phrases[place - 1] if place else None
    if phrase.marker is not None:
        return min(phrase.start, phrase.marker.start)
    refuses = before is not None and before.cue == "no" and not before.used and phrase.gap <= Gap.SPACE
    return before.start if before is not None and refuses else phrase.start


def _is_silent(phrase: Phrase) -> bool:
    """Whether a phrase that means nothing need not be told: it only joins others."""
    if phrase.sense is not None and phrase.sense.filler:
        return phrase.sense.why is None
    return phrase.is_function or phrase.cue in ("no", "except", "keep", "only", "nothing else") or phrase.used


def _meaning(phrase: Phrase, genre: str | None) -> str:
    if phrase.why is not None:
        return ""
    if phrase.claim is not None:
        is_kept = phrase.used if phrase.claim.kind in OF_SECTIONS else phrase.claim.kind != "other"
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
    return "" if sense.why is not None else ", ".join(_meanings(sense, genre))


def _refusal(phrase: Phrase, sense: Sense, genre: str | None) -> str:
    names = [name for name in refusals(phrase) if name not in (sense.mood, sense.genre)]
    if sense.four_on_the_floor:
        return f"not {FOUR_ON_THE_FLOOR}"
    if (sense.why is not None or sense.piece) and not names:
        return ""
    if names:
        called = SectionWish(sense.section).called if sense.section is not None else ""
        return "no " + (" and no ".join(sense.pieces or sense.instruments) or called or " and no ".join(names))
    meaning = sense.says if sense.tempo is not None else ", ".join(_meanings(sense, genre, refused=True))
    return f"not {meaning}"


def _is_played(named: str, genre: str | None) -> bool:
    """Whether music of a genre is of the named one, too: of itself, or of one in the same family."""
    genres = load_genres()
    return genre is not None and genres[named].parent == genres[genre].parent


def _meanings(sense: Sense, genre: str | None, *, refused: bool = False) -> Iterator[str]:
    if sense.says is not None and sense.tempo is None:
        yield sense.says
    yield from (guitar_of(genre) if name == "guitar" else name for name in sense.instruments if sense.says is None)
    if sense.refuses and sense.says is None:
        yield f"no {' and no '.join(sense.refuses)}"
    is_ensemble = sense.form and sense.instruments
    if sense.genre is not None and not is_ensemble and (refused or _is_played(sense.genre, genre)):
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
    mode = sense.mode if sense.says is None else None
    for plain in (mode, sense.part, section, sense.feel):
        if plain is not None:
            yield plain
