"""Finds names of persons, bands, places and titles by how they are written."""

import re
from collections.abc import Iterator, Sequence

from shared.prompt.claims import Claim
from shared.prompt.phrases import Phrase
from shared.prompt.tokens import Gap

# In these quotes; a single one must not be an apostrophe.
_QUOTED = re.compile(
    r"\"([^\"]{2,60})\"|“([^”]{2,60})”|„([^“”]{2,60})[“”]|«([^»]{2,60})»|「([^」]{2,60})」|『([^』]{2,60})』"
    r"|(?<![^\s(])['‘]([^'‘’]{2,60})['’](?!\w)"
)
# Abbreviations such as HDR are no names.
_CAPITAL = re.compile(r"[A-ZÀ-ÖØ-Þ](?=[^\W\d_A-ZÀ-ÖØ-Þ])")
_WORD = re.compile(r"[^\W\d_]+")
# German writes every noun with a capital.
_GERMAN = {"ein", "eine", "einem", "einen", "einer", "und", "mit", "für", "der", "ohne", "wie", "im", "nur", "kein"}


def find_titles(text: str) -> Iterator[Claim]:
    """Quotes of several words whose first and last have capitals: 'Whiskey in the Jar'."""
    for match in _QUOTED.finditer(text):
        words = _WORD.findall(next(filter(None, match.groups())))
        if len(words) > 1 and not text.isupper() and all(_CAPITAL.match(words[place]) for place in (0, -1)):
            yield Claim(match.start(), match.end(), "other", "title", why="title")


def join_names(phrases: Sequence[Phrase], text: str) -> list[Phrase]:
    """The phrases, with each name as one. A name has an unknown word, and takes the describing words beside it along.

    Capitals tell nothing at the beginning of a sentence, in a prompt that has them everywhere, and in German.
    """
    tells = not _has_capitals_everywhere(phrases, text)
    joined: list[Phrase] = []
    run: list[Phrase] = []
    for phrase in phrases:
        if run and (phrase.gap not in (Gap.SPACE, Gap.HYPHEN) or not _may_be_name(phrase, text)):
            joined += _name(run)
            run = []
        if tells and _may_be_name(phrase, text) and (run or phrase.gap < Gap.SENTENCE or phrase.sense is None):
            run.append(phrase)
        else:
            joined.append(phrase)
    return joined + _name(run)


def _may_be_name(phrase: Phrase, text: str) -> bool:
    """Whether it has a capital, and says nothing of genre, instruments or form."""
    sense = phrase.sense
    describes = sense is None or sense.filler or sense.tempo or sense.mood or sense.energy or sense.why == "name"
    return bool(describes) and phrase.claim is None and _CAPITAL.match(text, phrase.start) is not None


def _name(run: Sequence[Phrase]) -> list[Phrase]:
    """The run as one phrase, if it is a name."""
    unknown = [phrase for phrase in run if phrase.sense is None]
    if not unknown or (len(run) == 1 and run[0].gap == Gap.SENTENCE):
        return list(run)
    words = tuple(word for phrase in run for word in phrase.words)
    return [Phrase(run[0].start, run[-1].end, words, run[0].gap, is_name=True)]


def _has_capitals_everywhere(phrases: Sequence[Phrase], text: str) -> bool:
    inner = [text[phrase.start : phrase.end] for phrase in phrases if phrase.gap < Gap.SENTENCE]
    words = [word for each in inner for word in _WORD.findall(each)]
    if _GERMAN.intersection(words):
        return True
    return 2 * sum(_CAPITAL.match(word) is not None for word in words) > len(words)
