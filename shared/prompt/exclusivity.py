"""Decides whether a prompt wants nothing but the instruments it names: "only", "solo", "stem", "two bars of drums"."""

from collections.abc import Sequence

from shared.prompt.phrases import Phrase
from shared.prompt.tokens import Gap

# Unknown words that may stand between "only" and an instrument: "only dusty upright piano".
_MOST_UNKNOWN = 2
_OF = {"of", "de", "von", "d", "の"}
# What a solo or a loop belongs to rather than being all of the music.
_SECTIONS = {"section", "part", "break", "in", "over", "on", "at", "during", "for"}


def wants_only(phrases: Sequence[Phrase]) -> bool:
    """Whether the instruments that the prompt names are all that it wants."""
    if not any(
        phrase.sense and (phrase.sense.instruments or _is_part(phrase)) and not phrase.refused for phrase in phrases
    ):
        return False
    for place, phrase in enumerate(phrases):
        phrase.used = phrase.used or (phrase.cue is not None and not phrase.refused and _restricts(phrases, place))
    closed = any(phrase.is_strong and phrase.sense and phrase.sense.closed for phrase in phrases)
    return closed or any(phrase.used and phrase.cue in _CHECKS for phrase in phrases) or _is_of(phrases)


def _restricts(phrases: Sequence[Phrase], place: int) -> bool:
    check = _CHECKS.get(phrases[place].cue or "")
    return check is not None and check(phrases, place)


def _only(phrases: Sequence[Phrase], place: int) -> bool:
    if place + 1 < len(phrases) and phrases[place + 1].cue == "at times":
        return False
    before = _before(phrases, place)
    return (before is not None and not before.at_times) or _after(phrases, place) is not None


def _solo(phrases: Sequence[Phrase], place: int) -> bool:
    """Whether it is "solo piano", or "piano solo" if the prompt begins with it."""
    return _is_solo(phrases, place) or _is_head(phrases, place, Gap.COMMA)


def _is_solo(phrases: Sequence[Phrase], place: int) -> bool:
    found = _after(phrases, place)
    if found is None:
        return False
    rest = phrases[phrases.index(found) + 1 :]
    return not (rest and rest[0].gap < Gap.COMMA and rest[0].sense is not None and rest[0].sense.section)


def _loop(phrases: Sequence[Phrase], place: int) -> bool:
    return _is_head(phrases, place, Gap.SENTENCE)


def _nothing_else(phrases: Sequence[Phrase], place: int) -> bool:
    return any(phrase.is_strong or _is_weak(phrase) for phrase in phrases[:place])


_CHECKS = {"only": _only, "solo": _solo, "loop": _loop, "nothing else": _nothing_else}


def _is_weak(phrase: Phrase) -> bool:
    sense = phrase.sense
    return sense is not None and bool(sense.instruments) and sense.weak and not phrase.refused


def _is_part(phrase: Phrase) -> bool:
    """Whether it names a part and no instrument: the "melody" of "melody only"."""
    sense = phrase.sense
    is_wanted = not (phrase.refused or phrase.at_times)
    return sense is not None and sense.part is not None and not sense.instruments and is_wanted


def _after(phrases: Sequence[Phrase], place: int) -> Phrase | None:
    """The instrument that follows a marker in its clause."""
    unknown = 0
    for other in phrases[place + 1 :]:
        if other.gap >= Gap.COMMA and not (other is phrases[place + 1] and other.gap == Gap.COLON):
            return None
        if other.is_strong or (_is_weak(other) and phrases[place].words[-1] == "only"):
            return other
        if _is_part(other) and phrases[place].cue == "only":
            return other
        if other.refused or other.cue in ("exit", "no", "keep", "only", "solo", "loop", "at times", "and"):
            return None
        unknown += other.sense is None and other.claim is None
        if unknown > _MOST_UNKNOWN:
            return None
    return None


def _before(phrases: Sequence[Phrase], place: int) -> Phrase | None:
    """The instrument that a marker follows."""
    after = phrases[place]
    for other in reversed(phrases[:place]):
        if after.gap >= Gap.COMMA:
            return None
        if other.is_strong or _is_weak(other) or (_is_part(other) and phrases[place].cue == "only"):
            return other
        if not (other.is_function or other.cue in ("loop", "only")) or other.cue in ("exit", "and"):
            return None
        after = other
    return None


def _is_head(phrases: Sequence[Phrase], place: int, widest: Gap) -> bool:
    """Whether "piano solo" or "drum loop" is what the prompt is about: no other instrument, and no "with" before."""
    before = _before(phrases, place)
    if before is None:
        return False
    first = phrases.index(before)
    others = [other for other in phrases if other.is_strong and other is not before]
    after = phrases[place + 1] if place + 1 < len(phrases) else None
    # "a bass loop in Gm" is the whole, and "a bass loop in a techno track" is a part.
    has_claim = any(other.claim is not None for other in phrases[place + 2 : place + 3])
    continues = after is not None and after.gap < Gap.COMMA and after.words[:1] and after.words[0] in _SECTIONS
    continues = continues and not has_claim
    leads = any(other.cue == "exit" or (other.gap >= widest and other is not phrases[0]) for other in phrases[:first])
    leads = leads or (phrases[first].gap >= widest and first > 0)
    return not others and not continues and not leads


def _is_of(phrases: Sequence[Phrase]) -> bool:
    """Whether it says "two bars of drums" or "loop of congas"."""
    for place, phrase in enumerate(phrases[:-2]):
        is_length = phrase.cue == "loop" or (phrase.claim is not None and phrase.claim.kind == "bars")
        if is_length and _OF.intersection(phrases[place + 1].words) and _after(phrases, place + 1) is not None:
            phrase.used = True
            return True
    return False
