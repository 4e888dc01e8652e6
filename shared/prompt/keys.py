"""Finds the keys that a text names, in the usual spellings: letters, solfège, and those of German and Japanese."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from shared.music import Key
from shared.prompt.lexicon import load_lexicon
from shared.prompt.tokens import tokenize

_NATURAL = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_GERMAN = {
    "ces": 11, "c": 0, "cis": 1, "des": 1, "d": 2, "dis": 3, "es": 3, "e": 4, "eis": 5, "fes": 4, "f": 5, "fis": 6,
    "ges": 6, "g": 7, "gis": 8, "as": 8, "a": 9, "ais": 10, "b": 10, "h": 11, "his": 0,
}  # fmt: skip

# Not inside a word, another name, or an abbreviation such as I'd.
_START = r"(?<![\w#♯♭'’.&-])"
_SHARP_SIGNS = ("#", "♯", "sharp", "sostenido", "sustenido", "dièse", "diese", "diesis")
_FOREIGN_MODES = "mineur|majeur|menor|mayor|maior|minore|maggiore"
_MINOR_WORDS = ("minor", "min", "mineur", "menor", "minore", "moll", "短調", "マイナー", "단조", "小调")
_SIGN = r"(?:[#♯♭]|b(?![a-z]*lues)|[ -]?(?:sharp|flat))"
# A chord's name continues with its quality, so the match is not a key.
_NO_CHORD = r"(?![\w#♯♭])(?![ -]?(?:(?:6|7|9|11|13)(?![\d/]|\.\d| ?bpm)|chord|triad|third|sixth|seventh|ninth))"
_GAP = r"(?: ?[-–(] ?| )?"
_KIND = r"(?:(?:harmonic|melodic|natural)[ -])?"
# "C♯/D♭" is one tonic in two spellings; "D/F♯" is a chord with its bass note.
_SAME = rf"(?:(?<=[#♯♭bpt]) ?/ ?[A-G]{_SIGN}(?!\w))?+"
# The possessive quantifier keeps "E flat" from matching as "E".
_TONIC = rf"([A-G])({_SIGN})?+{_SAME}"
# A tonic alone means a major key, so no mode may follow.
_MODE = (
    rf"(?!{_GAP}{_KIND}(?i:major|minor|maj|min|mineur|menor|minore|moll|dur"
    r"|dorian|phrygian|lydian|mixolydian|locrian|aeolian|ionian)\b)"
)

_WRITTEN = re.compile(
    rf"{_START}{_TONIC}{_GAP}{_KIND}(major|minor|maj|min|{_FOREIGN_MODES})\b\.?{_NO_CHORD}", re.IGNORECASE
)
_COMPACT = re.compile(rf"{_START}(?:([A-G])([#♯♭b]?)|([a-g])([#♯♭]))m{_NO_CHORD}(?!['’])")
# Excludes "low-key G-funk".
_NAMED = re.compile(
    rf"(?<![\w-])(?<!low )(?<!off )(?<!high )key(?P<sure>(?: is)? of |: ?| ?= ?)?(?: is | )?(?:the )?"
    rf"(?<![\w-]){_TONIC}(?![\w#♯♭'’]|[-–]\w){_MODE}",
    re.IGNORECASE,
)
# Excludes "saxophone in E♭", which is the instrument's transposition.
_BUILT_IN = "".join(rf"(?<!{name} )" for name in ("clarinet", "trumpet", "saxophone", "sax", "horn"))
_IN_TONIC = re.compile(
    rf"{_BUILT_IN}\b(?:[Ii]n|IN) ([A-G])([#♯♭b]|(?<!A)[ -](?i:sharp|flat)(?![\w-])){_SAME}"
    rf"{_NO_CHORD}{_MODE}"
)
# "blues in A": a capital letter that ends its phrase.
_IN_NATURAL = re.compile(rf"{_BUILT_IN}\b[Ii]n ([A-G])(?= ?(?:$|[,;)]|\.(?!\w)))")
# A separate phrase: "guitar in e flat", "E flat, slow".
_SPELT_TONIC = re.compile(rf"(?:^|[,;] ?|{_BUILT_IN}\bin )([A-G])([ -](?:sharp|flat))(?= ?(?:$|[,.;]))", re.IGNORECASE)
# "A♭, slow": a tonic with a sign is a separate phrase.
_SIGNED_TONIC = re.compile(r"(?:^|[,;] ?)([A-G])([#♯♭])(?= ?(?:$|[,.;]))")
_LISTED_CHORD = re.compile(r"(?:^|[,;] ?)[A-G][#♯♭b]?m?(?= ?(?:$|[,;]))")
# The other modes, in the languages that the lexicon knows, by the first letters of their names. Each stands for the
# nearer of major and minor: the one with more of its notes.
_MODES = {
    "dor": True, "dór": True, "phr": True, "fri": True, "frí": True, "aeo": True, "äol": True, "eól": True,
    "eol": True, "éol": True, "loc": True, "lok": True, "lóc": True,
    "lyd": False, "lid": False, "líd": False, "mix": False, "ion": False, "jón": False, "jôn": False,
}  # fmt: skip
_MODE_BEGINNING = re.compile("|".join(_MODES), re.IGNORECASE)
_MODE_NAME = (
    r"(dorian|phrygian dominant|phrygian|aeolian|locrian|lydian dominant|lydian|mixolydian|ionian"
    r"|dorisch|phrygisch|äolisch|lokrisch|lydisch|mixolydisch|ionisch|dorien|phrygien|éolien|locrien|lydien|mixolydien"
    r"|ionien|dórico|dorico|frigio|frígio|eólico|eolio|eólio|locrio|lócrio|lidio|lídio|mixolidio|mixolídio|jónico|jônico)"
    r"(?! dominant)(?:[ -](?:mode|scale))?\b"
)
_MODAL = re.compile(rf"{_START}{_TONIC}{_GAP}{_MODE_NAME}", re.IGNORECASE)
_MODE_FIRST = re.compile(rf"\b{_MODE_NAME} (?:in|on|of) {_TONIC}(?![\w#♯♭'’])", re.IGNORECASE)
_DUR_MOLL = re.compile(rf"{_START}([a-h](?:is|es|s|[#♯♭])?)[ -]?(dur|moll)\b", re.IGNORECASE)
_CHORDS = re.compile(r"(?:[ ,|–>→-]+[A-G][#♯♭b]?(?:m|maj|min|dim|sus|add)?\d*(?![\w#♯♭])){2}")

_SYLLABLES = {
    "do": "c", "dó": "c", "ut": "c", "re": "d", "ré": "d", "mi": "e", "fa": "f", "fá": "f", "sol": "g", "la": "a",
    "lá": "a", "si": "b",
}  # fmt: skip
_SYLLABLE = (
    rf"(?<!\w)({'|'.join(_SYLLABLES)})(?:[ -]?(sostenido|sustenido|dièse|diese|diesis|sharp|#|♯|bemol|bémol|bemolle"
    rf"|flat|♭|b))?[ -]"
)
_SOLFEGE = re.compile(rf"{_SYLLABLE}({_FOREIGN_MODES}|major|minor)\b", re.IGNORECASE)
_MODAL_SOLFEGE = re.compile(rf"{_SYLLABLE}{_MODE_NAME}", re.IGNORECASE)
# The letters of keys in Japanese and Korean, and the signs before them, in Chinese, too.
_LETTERS = {
    "ハ": "c", "ニ": "d", "ホ": "e", "ヘ": "f", "ト": "g", "イ": "a", "ロ": "b",
    "다": "c", "라": "d", "마": "e", "바": "f", "사": "g", "가": "a", "나": "b",
}  # fmt: skip
_SIGNS_BEFORE = {"嬰": "#", "変": "b", "升": "#", "降": "b", "올림": "#", "내림": "b"}
_ASIAN = re.compile(
    rf"({'|'.join(_SIGNS_BEFORE)})? ?([{''.join(_LETTERS)}]|(?<![A-Za-z])[A-Ga-g])([#♯♭b]?) ?"
    r"(長調|短調|メジャー|マイナー|장조|단조|大调|小调)"
)

# "a minor setback": where "a" may be the article, the key must end its phrase or precede one of these words.
_PHRASE_ENDS = re.compile(
    r" ?(?:$|[,.;:!?()/|\]–—]|- |(?:and|with|at|for|featuring|on|using|but|then|scale|key|tonality|pentatonic)\b)"
)
_IN = re.compile(r"(?:^|[,;:(/|] ?|\b(?:in|of|key|to|from) (?:the key of )?)$", re.IGNORECASE)


class WrittenKey(NamedTuple):
    """A key, the place that names it, and the mode for which it is the nearest key, such as "D Dorian"."""

    key: Key
    match: re.Match[str]
    mode: str = ""

    @property
    def meaning(self) -> str:
        """The key in plain words."""
        return f"{self.key.name}, the nearest to {self.mode}" if self.mode else self.key.name


def find_keys(text: str) -> list[WrittenKey]:
    """The keys that a text names unambiguously, in its order."""
    found = [
        *((_key(match[1], match[2], match[3]), match) for match in _WRITTEN.finditer(text) if _is_meant(match)),
        *((_key(match[1] or match[3], match[2] or match[4], "min"), match) for match in _single_chords(text)),
        *((_key(match[2], match[3]), match) for match in _NAMED.finditer(text) if _is_named(match)),
        *((_key(match[1], match[2]), match) for match in _IN_TONIC.finditer(text)),
        *((_key(match[1], None), match) for match in _IN_NATURAL.finditer(text)),
        *((_key(match[1], match[2]), match) for match in _SPELT_TONIC.finditer(text)),
        *((_key(match[1], match[2]), match) for match in _signed_tonics(text)),
        *((german, match) for match in _DUR_MOLL.finditer(text) if (german := _german(match)) is not None),
        *((_solfege(match), match) for match in _SOLFEGE.finditer(text)),
        *((_asian(match), match) for match in _ASIAN.finditer(text)),
    ]
    written = [WrittenKey(key, match) for key, match in found] + list(_modal_keys(text))
    return sorted(written, key=lambda each: each.match.start())


def _modal_keys(text: str) -> Iterator[WrittenKey]:
    """The nearest keys to modes with a tonic: D minor for "D Dorian" and for "Dorian in D"."""
    if not _MODE_BEGINNING.search(text):
        return
    forms = [((1, 2, 3), match) for match in _MODAL.finditer(text) if _is_meant(match)]
    forms += [((2, 3, 1), match) for match in _MODE_FIRST.finditer(text) if match[2] != "a"]
    forms += [((1, 2, 3), match) for match in _MODAL_SOLFEGE.finditer(text)]
    for places, match in forms:
        name, sign, mode = match.group(*places)
        letter = _SYLLABLES.get(name.lower(), name)
        key = _key(letter, sign, "min" if _MODES[mode.lower()[:3]] else "major")
        yield WrittenKey(key, match, f"{letter.upper()}{(sign or '').replace(' ', '-')} {mode.capitalize()}")


def _key(letter: str, sign: str | None, mode: str = "major") -> Key:
    step = 0
    if sign:
        step = 1 if sign.strip(" -").lower() in _SHARP_SIGNS else -1
    return Key((_NATURAL[letter.lower()] + step) % 12, mode.lower() in _MINOR_WORDS)


def _solfege(match: re.Match[str]) -> Key:
    return _key(_SYLLABLES[match[1].lower()], match[2], match[3])


def _asian(match: re.Match[str]) -> Key:
    """A key such as "嬰ヘ短調" and "올림바단조", or a letter with a Japanese, Korean or Chinese mode."""
    sign, letter, after, mode = match.groups()
    return _key(_LETTERS.get(letter, letter), _SIGNS_BEFORE.get(sign or "", after), mode)


def _german(match: re.Match[str]) -> Key | None:
    name = match[1].lower()
    if name[-1] in "#♯♭":
        return _key(name[0], name[1], match[2])
    tonic = _GERMAN.get(name)
    return None if tonic is None else Key(tonic, match[2].lower() == "moll")


def _is_meant(match: re.Match[str]) -> bool:
    """Whether "a minor" names a key. Any other letter always does."""
    text = match.string
    before, after = text[: match.start()], text[match.end() :]
    if match[1] not in "aA" or match[2]:
        return True
    begins_a_sentence = not before.strip() or before.rstrip()[-1] in ".!?"
    if match[1] == "A" and not text.isupper() and (not begins_a_sentence or _is_music(after)):
        return True
    if not _PHRASE_ENDS.match(after):
        return False
    # "in a minor key" states only the mode.
    of_a_key = re.match(r" (?:key|scale|tonality)\b", after) is not None
    return bool(_IN.search(before)) and not (of_a_key and match[1] == "a")


def _is_music(after: str) -> bool:
    """Whether a genre or an instrument follows: "A minor blues" names a key, and "A minor setback" does not."""
    tokens = tokenize(after)
    found = load_lexicon().match(tokens, 0) if tokens and after[0] == " " else None
    return found is not None and bool(found[1].instruments or (found[1].genre and not found[1].form))


def _is_named(match: re.Match[str]) -> bool:
    """Whether the letter after "key" is a tonic: not in "the key of a love song" or "the key is a strong beat"."""
    article = match[2] in "aA" and (match[3] or " flat").strip(" -").lower() in ("sharp", "flat")
    sure = match["sure"] is not None and not article
    return sure or _PHRASE_ENDS.match(match.string, match.end()) is not None


def _signed_tonics(text: str) -> list[re.Match[str]]:
    """A tonic such as A♭ that stands alone, and is none of a list of chords: "F#, B, E"."""
    found = list(_SIGNED_TONIC.finditer(text))
    return found if found and len(_LISTED_CHORD.findall(text)) == 1 else []


def _single_chords(text: str) -> list[re.Match[str]]:
    """Names such as Am outside of chord progressions, and not the verb: "Am I dreaming"."""
    return [
        match
        for match in _COMPACT.finditer(text)
        if not text.isupper() and not _CHORDS.match(text, match.end()) and not text.startswith(" I ", match.end())
    ]
