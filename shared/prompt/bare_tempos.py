"""Finds tempos that stand beside a genre or a key without "bpm", as producers write them: "174 dnb", "trap Fm 146"."""

from collections.abc import Sequence
from fractions import Fraction

from shared.prompt.claims import Claim
from shared.prompt.genres import load_genres
from shared.prompt.phrases import Phrase
from shared.prompt.tempo_numbers import describe_tempo
from shared.prompt.tokens import Gap

SLOWEST, FASTEST = 60, 200
# How far beyond a genre's usual tempos the number may be.
TOLERANCE = Fraction(1, 4)
# "hip hop 101" is a course.
_COURSES = {101}


def find_bare_tempo(phrases: Sequence[Phrase]) -> tuple[Fraction, Fraction] | None:
    """The first number beside a genre or a key that is a tempo for the genre; its phrase becomes a claim."""
    for index, phrase in enumerate(phrases):
        number = _number(phrase)
        if number is None:
            continue
        genre = _genre_beside(phrases, index) or (_first_genre(phrases) if _is_beside_key(phrases, index) else None)
        if genre is None or not _suits(number, genre):
            continue
        following = phrases[index + 1] if index + 1 < len(phrases) else None
        end = _number(following) if following is not None and following.gap is Gap.HYPHEN else None
        tempo = Fraction(number), Fraction(end or number)
        for part in (phrase, following) if end and following else (phrase,):
            part.claim = Claim(part.start, part.end, "tempo", describe_tempo(tempo))
        return min(tempo), max(tempo)
    return None


def _number(phrase: Phrase) -> int | None:
    if phrase.sense is not None or phrase.claim is not None or len(phrase.words) != 1:
        return None
    word = phrase.words[0]
    is_number = word.isascii() and word.isdigit() and len(word) <= 3
    return int(word) if is_number and SLOWEST <= int(word) <= FASTEST and int(word) not in _COURSES else None


def _genre_beside(phrases: Sequence[Phrase], index: int) -> str | None:
    """The genre before a number that ends its phrase, or after one that begins it."""
    before, after = phrases[index - 1] if index else None, phrases[index + 1] if index + 1 < len(phrases) else None
    begins, ends = phrases[index].gap >= Gap.COMMA or _is_key(before), _ends(after)
    if before is not None and before.sense is not None and before.sense.genre and ends:
        return before.sense.genre if phrases[index].gap <= Gap.COMMA else None
    if begins and after is not None and after.sense is not None and after.gap is Gap.SPACE:
        return after.sense.genre
    return None


def _ends(after: Phrase | None) -> bool:
    """Whether nothing continues a number: what follows is known, or stands apart."""
    return after is None or after.gap != Gap.SPACE or after.sense is not None or _is_key(after)


def _is_key(phrase: Phrase | None) -> bool:
    return phrase is not None and phrase.claim is not None and phrase.claim.kind == "key"


def _is_beside_key(phrases: Sequence[Phrase], index: int) -> bool:
    """Whether it follows a key and ends its phrase, or the key follows it: "D# min 146", "146 Am"."""
    before, after = phrases[index - 1] if index else None, phrases[index + 1] if index + 1 < len(phrases) else None
    if _is_key(before) and phrases[index].gap <= Gap.COMMA:
        return after is None or after.gap >= Gap.COMMA
    return after is not None and _is_key(after) and after.gap is Gap.SPACE


def _first_genre(phrases: Sequence[Phrase]) -> str | None:
    found = (phrase.sense.genre for phrase in phrases if phrase.sense is not None and not phrase.refused)
    return next((genre for genre in found if genre is not None), None)


def _suits(number: int, genre: str) -> bool:
    """Whether it is about the genre's tempo, or half or twice of it."""
    slow, fast = load_genres()[genre].bpm
    return any(slow * (1 - TOLERANCE) <= each <= fast * (1 + TOLERANCE) for each in (number, 2 * number, number / 2))
