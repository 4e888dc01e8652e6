"""Marks the phrases that a prompt refuses: "no drums, bass or vocals", "drums left out", "ドラムなし"."""

from collections.abc import Sequence

from shared.prompt.phrases import Phrase
from shared.prompt.tokens import Gap

# "no bass and a piano": after these a new noun with an article is no longer refused.
_BARE = {"no", "zero", "kein", "keine", "keinen"}
# In Portuguese "no" is "on the": "rock no piano e na guitarra".
_PORTUGUESE = {"na", "com", "em", "uma", "um", "não", "sem", "ao", "pra"}
_OUT = ("out",)
_LEAVING, _LEAVING_REACH = {"leave", "leaving", "take", "taking", "cut"}, 8
# They refuse what stands before a colon.
_ANSWERS = (("none",), ("no",), ("off",))
_OFTEN_REFUSED = {"drums", "bass", "percussion", "vocals"}


def mark_refusals(phrases: Sequence[Phrase]) -> None:
    """Mark what is refused. A refusal ends with its clause, at "but" or "with", or with its list."""
    goes_on = _lists_that_go_on(phrases)
    is_portuguese = any(_PORTUGUESE.intersection(phrase.words) for phrase in phrases)
    negator: Phrase | None = None
    taken: list[Phrase] = []
    for place, phrase in enumerate(phrases):
        if negator is not None and _ends(phrases, place, negator, taken, goes_on):
            negator = None
        if negator is None and phrase.cue is None and phrase.words != _OUT:
            continue
        match phrase.cue:
            case "no" if is_portuguese and phrase.words == ("no",):
                negator, phrase.used = None, True
            case "no" if _answers(phrases, place):
                _refuse_before(phrases, place)
            case "no":
                # "not without drums" wants them.
                negator, taken = (None if negator is not None and not taken else phrase), []
            case "except":
                negator, taken = (None if negator is not None else phrase), []
            case _ if phrase.cue == "left out" or _leaves_out(phrases, place):
                _refuse_before(phrases, place)
            case "at times":
                for other in taken:
                    other.at_times = True
            case _ if negator is not None and is_content(phrase) and is_of_a_solo(phrases, place):
                # "no guitar solo" does not refuse the guitar.
                phrase.refused = phrase.at_times = True
                phrase.marker, negator.used = negator, True
                taken.append(phrase)
            case _ if negator is not None and is_content(phrase):
                phrase.refused = True
                phrase.marker = negator if not taken else None
                negator.used = True
                taken.append(phrase)


def _answers(phrases: Sequence[Phrase], place: int) -> bool:
    """Whether it is the "no" of "drums: no, piano: yes"."""
    is_last = place + 1 == len(phrases) or phrases[place + 1].gap >= Gap.COMMA
    return phrases[place].gap is Gap.COLON and is_last


def _leaves_out(phrases: Sequence[Phrase], place: int) -> bool:
    """Whether it is the end of "leave the organ out"."""
    if phrases[place].words != _OUT:
        return False
    before = phrases[max(place - _LEAVING_REACH, 0) : place]
    return any(_LEAVING.intersection(other.words) for other in before)


def is_of_a_solo(phrases: Sequence[Phrase], place: int) -> bool:
    """Whether it only says of which instrument a solo is."""
    after = phrases[place + 1] if place + 1 < len(phrases) else None
    return after is not None and after.cue == "solo" and after.gap < Gap.COMMA


def _is_degree(phrase: Phrase) -> bool:
    """Whether it only describes: a tempo word, a mood, an energy or a feel."""
    sense = phrase.sense
    if sense is None or sense.instruments or sense.genre:
        return False
    return bool(sense.tempo or sense.mood or sense.energy or sense.feel)


def is_content(phrase: Phrase) -> bool:
    """Whether it names something that can be refused."""
    sense = phrase.sense
    return sense is not None and not sense.filler and (sense.cue is None or bool(sense.instruments))


def _states_the_grid(phrase: Phrase) -> bool:
    return phrase.claim is not None and phrase.claim.kind in ("tempo", "key", "meter")


def _names_the_rest(phrases: Sequence[Phrase], place: int, taken: Sequence[Phrase]) -> bool:
    """Whether it begins what is wanted, right after what is not: "no drums ambient", "no vocals piano ballad"."""
    phrase, last = phrases[place], taken[-1]
    if phrase.sense is None or phrase.gap is not Gap.SPACE or phrases[place - 1] is not last:
        return False
    if not (_names(last) or (last.sense is not None and last.sense.feel)):
        return False
    if phrase.sense.instruments:
        is_listed = any(other.cue in ("and", "or") for other in phrases[place + 1 : place + 2])
        return _names(last) == {"vocals"} and not is_listed
    return bool(phrase.sense.genre or phrase.sense.mood)


def _ends(
    phrases: Sequence[Phrase], place: int, negator: Phrase, taken: Sequence[Phrase], goes_on: Sequence[bool]
) -> bool:
    """Whether the scope of a negator ends before a phrase."""
    phrase = phrases[place]
    if phrase.gap == Gap.COMMA and goes_on[place]:
        return False
    if phrase.gap >= Gap.COMMA:
        return not (taken and _ends_the_prompt(phrases, place, taken))
    if phrase.cue in ("exit", "keep"):
        return bool(taken) or phrases[place - 1] is not negator
    if phrase.cue == "only" or (taken and (_states_the_grid(phrase) or _names_the_rest(phrases, place, taken))):
        return True
    # "not too slow waltz" refuses the tempo alone.
    if negator.words == ("not",) and taken and all(map(_is_degree, taken)) and is_content(phrase):
        return not _is_degree(phrase)
    after_and = place > 1 and phrases[place - 1].cue == "and"
    return phrase.cue == "article" and after_and and negator.words[-1] in _BARE


def _lists_that_go_on(phrases: Sequence[Phrase]) -> list[bool]:
    """For each phrase after a comma: whether its list has a last item after "or"."""
    goes_on = [False] * len(phrases)
    has_or = False
    for place in range(len(phrases) - 1, -1, -1):
        phrase = phrases[place]
        if phrase.cue == "or":
            has_or = True
        elif phrase.cue in ("and", "exit", "no", "only"):
            has_or = False
        goes_on[place] = has_or
        if phrase.gap > Gap.COMMA:
            has_or = False
    return goes_on


def _ends_the_prompt(phrases: Sequence[Phrase], place: int, taken: Sequence[Phrase]) -> bool:
    """Whether a refusal that begins the prompt goes on to its end: "no bass, drums"."""
    is_first = all(other.is_function or other.cue == "no" or other in taken for other in phrases[:place])
    rest = [_names(other) for other in phrases[place:] if not other.is_function]
    rhythm = _OFTEN_REFUSED - {"vocals"}
    return is_first and len(rest) == 1 and bool(rest[0]) and rest[0] <= _OFTEN_REFUSED and _names(taken[-1]) <= rhythm


def _names(phrase: Phrase) -> set[str]:
    return set(phrase.sense.instruments or phrase.sense.any_of) if phrase.sense is not None else set()


def _refuse_before(phrases: Sequence[Phrase], place: int) -> None:
    """Refuse the list that stands before "left out", "-free" or "なし"."""
    marker = phrases[place]
    if marker.words[-1] in ("free", "frei") and marker.gap > Gap.HYPHEN:
        return
    after = marker
    for other in reversed(phrases[:place]):
        limit = Gap.COLON if after is marker and marker.words in _ANSWERS else Gap.SPACE
        if after.gap > limit or other.cue in ("exit", "no", "keep", "only", "left out"):
            return
        if is_content(other):
            other.refused = True
            other.marker = marker if not marker.used else None
            marker.used = True
        elif not other.is_function or (marker.used and other.cue not in ("and", "or", "article")):
            return
        after = other
