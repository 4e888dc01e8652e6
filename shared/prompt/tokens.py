"""Cuts a text into words, with what stands between them."""

import re
import unicodedata
from enum import IntEnum
from typing import NamedTuple

# Chinese, Japanese and Korean have no spaces between words, or particles behind them: each character is a token.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3々"
UNSPACED = re.compile(f"[{_UNSPACED}]")
_EMOJI = "\u2190-\u21ff\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
# Vowels and accents of other scripts, which belong to the letter before them.
_MARKS = "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0900-\u0963\u0966-\u0dff\u0e31-\u0e4e"
# "w/o" is one word, and the slash of "drums/bass" divides two. A symbol means no more if it is repeated.
_TOKEN = re.compile(
    rf"\bw/(?:o|out)\b|[{_UNSPACED}]|(?P<symbol>[{_EMOJI}&+])(?P=symbol)*|(?:[^\W_{_UNSPACED}]|[{_MARKS}])+",
    re.IGNORECASE,
)
_LATIN_ACCENTED = re.compile("[\u00c0-\u024f]")
_SENTENCE_ENDS = re.compile(r"[.;:!?()\[\]|\n。！？]|[-–—]{2}|[–—]")
_COMMA = re.compile(r"[,/、，・]| - ")
_SIGNS = {"&": "and", "+": "and"}
_COLON = re.compile(r":\s*$")


class Gap(IntEnum):
    """What stands before a token; the larger, the more it divides."""

    NONE = 0
    HYPHEN = 1
    SPACE = 2
    COMMA = 3
    COLON = 4
    SENTENCE = 5


class Token(NamedTuple):
    """A word of a text.

    Attributes:
        word: in lower case.
        folded: also without accents.
        start, end: its place in the text.
        gap: what stands before it.
    """

    word: str
    folded: str
    start: int
    end: int
    gap: Gap


def tokenize(text: str) -> list[Token]:
    """The words of a text. Hyphens and apostrophes divide words; "&" and "+" are the word "and".

    Of a symbol that is repeated, the token is the first one.
    """
    tokens: list[Token] = []
    end = 0
    for match in _TOKEN.finditer(text):
        start, following = match.span()
        symbol = match["symbol"]
        word = _SIGNS.get(symbol, symbol) if symbol else match[0].casefold()
        gap = _gap(text[end:start]) if tokens else Gap.SENTENCE
        folded = word if symbol else fold(word)
        tokens.append(Token(word, folded, start, start + len(symbol) if symbol else following, gap))
        end = following
    return tokens


def fold(word: str) -> str:
    """A word without accents. Only Latin letters have any: dakuten make other letters."""
    if word.isascii() or _LATIN_ACCENTED.search(word) is None:
        return word
    return "".join(letter for letter in unicodedata.normalize("NFD", word) if not unicodedata.combining(letter))


def _gap(between: str) -> Gap:
    if not between:
        return Gap.NONE
    if between == " ":
        return Gap.SPACE
    if between in ("-", "'", "’"):
        return Gap.HYPHEN
    if _COLON.search(between):
        return Gap.COLON
    if _SENTENCE_ENDS.search(between):
        return Gap.SENTENCE
    return Gap.COMMA if _COMMA.search(between) else Gap.SPACE
