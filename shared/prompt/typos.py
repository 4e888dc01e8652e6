"""Finds the known word that a misspelt one means, and the two that a compound consists of."""

from collections import defaultdict
from collections.abc import Container, Iterable
from dataclasses import dataclass

# Shorter words are too close to others. From LONG letters on, two slips are likelier than another word.
SHORTEST, LONG = 5, 8
SHORTEST_COMPOUND, SHORTEST_PART = 8, 3
# Letters with which people begin the same word.
_SAME_BEGINNING = {"k": "c", "c": "k"}
# Between the parts of a German compound.
_JOINTS = ("", "s", "n", "en", "es")


@dataclass(frozen=True, slots=True)
class Speller:
    """Known words by their first letter, in the order in which they are preferred, and words that are no misspelling.

    The distance is that of optimal string alignment: a slip is a wrong, missing or additional letter, or two in the
    wrong order.
    """

    by_beginning: dict[str, list[str]]
    correct: frozenset[str]

    def mend(self, word: str) -> str | None:
        """The known word that a misspelt one means; None if none is near enough."""
        if len(word) < SHORTEST or not word.isascii() or not word.isalpha() or word in self.correct:
            return None
        # Imported for the first unknown word: the gateway starts without it.
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        beginnings = (word[0], _SAME_BEGINNING.get(word[0], ""))
        known = [each for beginning in beginnings for each in self.by_beginning.get(beginning, ())]
        most = 1 if len(word) < LONG else 2
        found = process.extractOne(word, known, scorer=OSA.distance, score_cutoff=most)
        return found[0] if found is not None else None


def make_speller(known: Iterable[str], correct: Iterable[str]) -> Speller:
    """A speller of known words that leaves correct ones as they are."""
    by_beginning: dict[str, list[str]] = defaultdict(list)
    for word in dict.fromkeys(known):
        if len(word) >= SHORTEST and word.isascii() and word.isalpha():
            by_beginning[word[0]].append(word)
    return Speller(dict(by_beginning), frozenset(correct))


def split_compound(word: str, known: Container[str]) -> tuple[int, str, str] | None:
    """Where a compound of two known words divides, and the words: "klavierballade" is klavier and ballade."""
    if len(word) < SHORTEST_COMPOUND:
        return None
    for place in range(len(word) - SHORTEST_PART, SHORTEST_PART - 1, -1):
        if word[place:] not in known:
            continue
        for joint in _JOINTS:
            first = word[: place - len(joint)]
            if word[:place].endswith(joint) and len(first) >= SHORTEST_PART and first in known:
                return place, first, word[place:]
    return None
