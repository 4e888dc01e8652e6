"""Writes captions: a sentence, tags, or the prompt builder's output.

Words are data. Names and their synonyms are common to both splits; the wordings around them are not.
"""

import random
import re
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

from gateway.prompts import PromptComponents, build_prompt
from training.music.ensemble import BASSES, KIT_WORDS
from training.music.spec import Spec
from training.music.style import styles

Split = Literal["train", "test"]


class Synonyms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Synonyms of the vocabulary's words; a word listed twice is used twice as often."""

    genres: dict[str, tuple[str, ...]]
    moods: dict[str, tuple[str, ...]]
    tempos: dict[str, tuple[str, ...]]
    instruments: dict[str, tuple[str, ...]]


class Wording(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Phrases for each part of a caption, and frames that order the parts.

    Attributes:
        tags: share of captions that are a list of phrases.
        builder: share of captions that are the prompt builder's output.
    """

    frames: tuple[str, ...]
    tags: float
    builder: float
    open: tuple[str, ...]
    noun: tuple[str, ...]
    slow_noun: tuple[str, ...]
    waltz: tuple[str, ...]
    tempo_phrase: tuple[str, ...]
    bpm: tuple[str, ...]
    mood_phrase: tuple[str, ...]
    key: tuple[str, ...]
    beats3: tuple[str, ...]
    beats4: tuple[str, ...]
    meters: dict[str, tuple[str, ...]]
    with_: tuple[str, ...] = msgspec.field(name="with")
    list: tuple[str, ...]
    solo: tuple[str, ...]
    choir: tuple[str, ...]
    no_drums: tuple[str, ...]
    no_bass: tuple[str, ...]
    drums: tuple[str, ...]
    bass: tuple[str, ...]
    flourish: tuple[str, ...]


@cache
def synonyms() -> Synonyms:
    return msgspec.json.decode(files("training.music").joinpath("data/synonyms.json").read_bytes(), type=Synonyms)


@cache
def wording(split: Split) -> Wording:
    """The wordings of a split."""
    data = files("training.music").joinpath(f"data/words_{split}.json").read_bytes()
    return msgspec.json.decode(data, type=Wording)


KEY_NAMES = {
    0: ("C",),
    1: ("C#", "Db", "C sharp", "D flat"),
    2: ("D",),
    3: ("Eb", "D#", "E flat"),
    4: ("E",),
    5: ("F",),
    6: ("F#", "Gb", "F sharp"),
    7: ("G",),
    8: ("Ab", "G#", "A flat"),
    9: ("A",),
    10: ("Bb", "A#", "B flat"),
    11: ("B",),
}
_MODES = {False: ("major", "major", "major", "maj"), True: ("minor", "minor", "minor", "min")}

_SLOT = re.compile(r"\{(\w+)\}")
_LOWER, _UPPER, _TYPO, _FLOURISH = 0.3, 0.03, 0.04, 0.25
_AHEAD = 0.7
# Wordings of a solo that precede the noun; the others follow it.
_SOLO_AHEAD = re.compile(r"^(solo|unaccompanied|a cappella|a lone) | solo$")
_PLAYED = ("beat", "beats")
_SLOW = ("very slow", "slow")


def genre_names(genre: str, level: int) -> tuple[str, ...]:
    """What captions of a level call a genre."""
    return styles(level)[genre].names or synonyms().genres[genre]


def write_caption(spec: Spec, split: Split, source: random.Random, level: int = 1) -> str:
    """Write a caption that states exactly what a spec holds."""
    words = wording(split)
    draw = source.random()
    if draw < words.builder and not spec.solo:
        text = _built(spec, words, source)
    elif draw < words.builder + words.tags:
        text = _tags(spec, words, source, level)
    else:
        text = _sentence(spec, words, source, level)
    return _hand(text, source)


def _built(spec: Spec, words: Wording, source: random.Random) -> str:
    """The prompt builder's sentence; properties without a field become free text."""
    rest = [
        part for part in (_key(spec, words, source), _meter(spec, words, source), *_buts(spec, words, source)) if part
    ]
    if not (spec.genre or spec.tempo_word or spec.bpm or spec.mood or spec.instruments or rest):
        raise ValueError("The spec is empty: it must state at least one property")
    tempo = spec.tempo_word or (f"{spec.bpm} BPM" if spec.bpm else None)
    components = PromptComponents(
        genre=spec.genre, tempo=tempo, mood=spec.mood, instruments=spec.instruments, custom_text=", ".join(rest)
    )
    return build_prompt(components).structured_prompt


def _tags(spec: Spec, words: Wording, source: random.Random, level: int) -> str:
    """Short phrases in any order."""
    parts = [
        source.choice(genre_names(spec.genre, level)) if spec.genre else "",
        _mood_phrase(spec, words, source),
        _tempo(spec, words, source),
        _key(spec, words, source),
        _meter(spec, words, source),
        _solo(spec, words, source) if spec.solo else "",
        *([] if spec.solo else _names(spec, source)),
        *_buts(spec, words, source),
    ]
    tags = [part for part in parts if part]
    source.shuffle(tags)
    return ", ".join(tags)


def _sentence(spec: Spec, words: Wording, source: random.Random, level: int) -> str:
    """A frame with its slots filled; empty slots are closed up."""
    tempo_ahead = bool(spec.tempo_word) and source.random() < _AHEAD
    mood_ahead = source.random() < _AHEAD
    waltz = spec.beats == 3 and source.random() < 0.4
    solo = _solo(spec, words, source) if spec.solo else ""
    solo_ahead = bool(_SOLO_AHEAD.search(solo))
    adjectives = _adjectives(spec, tempo_ahead, mood_ahead, source, level) + [solo] * solo_ahead
    mood_after = "" if mood_ahead else _mood_phrase(spec, words, source)
    slots = {
        "open": source.choice(words.open),
        "head": " ".join([*adjectives, *_noun(spec, words, waltz, source)]),
        "tempo": "" if tempo_ahead else _tempo(spec, words, source),
        "key": _key(spec, words, source),
        "meter": "" if waltz else _meter(spec, words, source),
        "with": ("" if solo_ahead else solo) if spec.solo else _with(spec, words, source),
        "but": ", ".join(part for part in (mood_after, *_buts(spec, words, source)) if part),
        "flourish": source.choice(words.flourish) if source.random() < _FLOURISH else "",
    }
    slots["a"] = _article(slots["head"])
    return _close_up(_SLOT.sub(lambda match: slots[match[1]], source.choice(words.frames)))


def _adjectives(spec: Spec, tempo_ahead: bool, mood_ahead: bool, source: random.Random, level: int) -> list[str]:
    """Tempo and mood in any order, then the genre."""
    adjectives = [source.choice(synonyms().tempos[spec.tempo_word])] if tempo_ahead and spec.tempo_word else []
    if spec.mood and mood_ahead:
        adjectives.append(source.choice(synonyms().moods[spec.mood]))
    source.shuffle(adjectives)
    return [*adjectives, *([source.choice(genre_names(spec.genre, level))] if spec.genre else [])]


def _noun(spec: Spec, words: Wording, waltz: bool, source: random.Random) -> list[str]:
    """The noun for the music. A genre needs none, and "beat" is excluded without drums."""
    if waltz:
        return [source.choice(words.waltz)]
    if spec.genre and source.random() < 0.15:
        return []
    if spec.tempo_word in _SLOW and source.random() < 0.2:
        return [source.choice(words.slow_noun)]
    return [
        source.choice([noun for noun in words.noun if noun not in _PLAYED or not (spec.solo or spec.drums is False)])
    ]


def _mood_phrase(spec: Spec, words: Wording, source: random.Random) -> str:
    if not spec.mood:
        return ""
    return source.choice(words.mood_phrase).format(mood=source.choice(synonyms().moods[spec.mood]))


def _tempo(spec: Spec, words: Wording, source: random.Random) -> str:
    if spec.bpm:
        return source.choice(words.bpm).format(bpm=spec.bpm)
    if spec.tempo_word:
        names = [name for name in synonyms().tempos[spec.tempo_word] if "tempo" not in name and "pace" not in name]
        return source.choice(words.tempo_phrase).format(tempo=source.choice([spec.tempo_word, *names]))
    return ""


def _key(spec: Spec, words: Wording, source: random.Random) -> str:
    if spec.key is None:
        return ""
    return source.choice(words.key).format(key=key_name(spec.key, bool(spec.minor), source))


def key_name(key: int, minor: bool, source: random.Random) -> str:
    """A key's name, such as `F# minor`, in a random spelling."""
    return f"{source.choice(KEY_NAMES[key])} {source.choice(_MODES[minor])}"


def _meter(spec: Spec, words: Wording, source: random.Random) -> str:
    if spec.beats is None:
        return ""
    meter = f"{spec.beats}/{spec.unit}"
    return source.choice({"3/4": words.beats3, "4/4": words.beats4, **words.meters}[meter])


def _names(spec: Spec, source: random.Random) -> list[str]:
    return [source.choice(synonyms().instruments.get(name, (name,))) for name in spec.instruments]


def _with(spec: Spec, words: Wording, source: random.Random) -> str:
    """The instruments as a list, with a conjunction before the last."""
    if not spec.instruments:
        return ""
    *others, last = _names(spec, source)
    names = ", ".join(others) + source.choice(words.list) + last if others else last
    return source.choice(words.with_).format(list=names)


def _solo(spec: Spec, words: Wording, source: random.Random) -> str:
    if spec.instruments == ("choir",) and source.random() < 0.6:
        return source.choice(words.choir)
    return source.choice(words.solo).format(one=_names(spec, source)[0])


def _buts(spec: Spec, words: Wording, source: random.Random) -> list[str]:
    """Requests and refusals of drums and bass."""
    named = set(spec.instruments)
    parts = []
    if spec.drums is not None and not named & set(KIT_WORDS):
        parts.append(source.choice(words.drums if spec.drums else words.no_drums))
    if spec.bass is not None and not named & set(BASSES):
        parts.append(source.choice(words.bass if spec.bass else words.no_bass))
    return parts


def _article(head: str) -> str:
    words = head.split()
    if words[0] == "a" or words[-1] in ("music", "beats"):
        return ""
    return "an" if words[0][0] in "aeiou" and not words[0].startswith("uni") else "a"


def _close_up(text: str) -> str:
    """No space or mark is left where a slot was empty."""
    for mark in ",.;–":
        text = re.sub(rf"(\s*{re.escape(mark)}\s*)+", f" {mark} " if mark == "–" else f"{mark} ", text)
    text = re.sub(r"\s+", " ", text)
    return text.strip(" ,;–") if not text.rstrip().endswith(".") else text.strip(" ,;–.") + "."


def _hand(text: str, source: random.Random) -> str:
    """How it is typed: capitals, and now and then a slip."""
    text = re.sub(r"\ba (?=[aeiou])", "an ", text)
    draw = source.random()
    if draw < _LOWER:
        text = text.lower()
    elif draw < _LOWER + _UPPER:
        text = text.upper()
    elif draw < 0.6:
        text = text[0].upper() + text[1:]
    return _slip(text, source) if source.random() < _TYPO else text


def _slip(text: str, source: random.Random) -> str:
    """Two letters of a long word change places, or one is lost; numbers and names of keys are too short to suffer."""
    words = text.split(" ")
    long = [index for index, word in enumerate(words) if len(word) >= 6 and word.isalpha()]
    if not long:
        return text
    index = source.choice(long)
    word, at = words[index], source.randrange(1, len(words[index]) - 2)
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    words[index] = swapped if source.random() < 0.5 else word[:at] + word[at + 1 :]
    return " ".join(words)
