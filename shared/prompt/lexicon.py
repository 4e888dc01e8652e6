"""The words that the reader knows: phrases of `data/*.json` and what each means."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

from shared.prompt.genres import GenreTraits, load_genres
from shared.prompt.tokens import Gap, Token, fold, tokenize
from shared.prompt.typos import Speller, make_speller, split_compound

# Of a word that has an ending, and of a cue or a filler without it.
_SHORTEST_INFLECTED, _SHORTEST_STEM = 4, 3

FILES = ("instruments", "moods", "tempos", "cues", "impossible")

_Words = tuple[str, ...]

Cue = Literal[
    "no", "except", "keep", "left out", "exit", "and", "or", "article", "only", "nothing else", "solo",
    "loop", "at times",
]  # fmt: skip


class Sense(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a phrase means. A phrase may mean several things at once: "upbeat" is a mood and a tempo.

    Attributes:
        instruments: that it names.
        any_of: the instruments that it refuses when it is negated, if not `instruments`.
        piece: whether it names only a piece of them: without hi-hats there are still drums.
        closed: whether it names a whole ensemble, such as a string quartet.
        weak: whether it names the instruments only if nothing refuses them: "beat", "acoustic".
        refuses: what it refuses by itself, such as "drumless".
        genre: a name of `data/genres.json`.
        form: whether its genre counts only if the prompt names no other, such as "march".
        mood: one of the starter's moods.
        energy: low, medium or high.
        tempo: slowest and fastest, in quarter notes a minute.
        mode: major or minor.
        meter: such as 3/4.
        feel: such as "half-time".
        four_on_the_floor: whether the kick is struck on every beat.
        pieces: the pieces of the drums that it names: "kick", "snare", "claps", "hi-hats", "cymbals".
        part: "melody", "chords" or "arpeggio".
        section: see `SectionWish`.
        at: the place that it names, as a share of the piece: "in the middle".
        cue: what it does to the words around it.
        why: the kind of reason why no model can follow it, of `data/reasons.json`.
        filler: whether it says nothing by itself about what the words around it mean.
        says: what it means, in plain words, if the fields above do not tell.
    """

    instruments: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    piece: bool = False
    closed: bool = False
    weak: bool = False
    refuses: tuple[str, ...] = ()
    genre: str | None = None
    form: bool = False
    mood: str | None = None
    energy: str | None = None
    tempo: tuple[int, int] | None = None
    mode: str | None = None
    meter: str | None = None
    feel: str | None = None
    four_on_the_floor: bool = False
    pieces: tuple[str, ...] = ()
    part: str | None = None
    section: str | None = None
    at: float | None = None
    cue: Cue | None = None
    why: str | None = None
    filler: bool = False
    says: str | None = None


class _Group(Sense, frozen=True, kw_only=True):
    """Phrases of one meaning in a data file."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What is known of words.

    Attributes:
        senses: phrases as tuples of words.
        beginnings: what longer phrases begin with, one word or more.
        words: all words of all phrases.
        single: the words that are phrases by themselves.
        speller: for misspelt words.
    """

    senses: dict[tuple[str, ...], Sense]
    beginnings: frozenset[tuple[str, ...]]
    words: frozenset[str]
    single: frozenset[str]
    speller: Speller

    def mend(self, token: Token) -> list[Token]:
        """A token as known words: itself, the word that it misspells, or the two words of a compound."""
        word = token.folded
        if token.word in self.words or word in self.words or len(word) < _SHORTEST_INFLECTED:
            return [token]
        if word in self.speller.correct or any(name in self.words for name in _variants(word)):
            return [token]
        if (parts := split_compound(word, self.single)) is not None and len(word) == token.end - token.start:
            place, first, second = parts
            middle = token.start + place
            return [
                Token(first, first, token.start, middle, token.gap),
                Token(second, second, middle, token.end, Gap.NONE),
            ]
        mended = self.speller.mend(word)
        return [token if mended is None else token._replace(word=mended, folded=mended)]

    def match(self, tokens: Sequence[Token], start: int) -> tuple[int, Sense] | None:
        """The longest phrase that begins at a token: where it ends, and its sense."""
        candidates = self._candidates(tokens, start)
        for end, words, folded in reversed(candidates):
            sense = self.senses.get(words) or self.senses.get(folded) or self._inflected(folded)
            if sense is not None:
                return end, sense
        return None

    def _candidates(self, tokens: Sequence[Token], start: int) -> list[tuple[int, _Words, _Words]]:
        """What may be a phrase that begins at a token, the shortest first: where it ends, its words, and folded."""
        token, end = tokens[start], start + 1
        words: _Words = (token.word,)
        folded: _Words = (token.folded,)
        found = [(end, words, folded)]
        while end < len(tokens) and (words in self.beginnings or folded in self.beginnings):
            token = tokens[end]
            if token.gap >= Gap.COMMA:
                break
            end, words, folded = end + 1, (*words, token.word), (*folded, token.folded)
            found.append((end, words, folded))
        return found

    def _inflected(self, folded: _Words) -> Sense | None:
        """The sense of a phrase with its last or only word in the singular or another gender."""
        for variant in _variants(folded[-1]):
            sense = self.senses.get((*folded[:-1], variant))
            # A laser is no inflected "las".
            if sense is not None and (len(variant) > _SHORTEST_STEM or not (sense.cue or sense.filler)):
                return sense
        return None


@cache
def load_lexicon() -> Lexicon:
    """The lexicon of all data files; read once."""
    senses: dict[tuple[str, ...], Sense] = {}
    for words, sense in _phrases():
        senses[words] = _merge(senses[words], sense) if words in senses else sense
    # A phrase without accents is read too, unless it means something else: "só" is only, "so" is not.
    for words, sense in list(senses.items()):
        senses.setdefault(tuple(map(fold, words)), sense)
    correct = msgspec.json.decode((files("shared.prompt") / "data" / "no_typos.json").read_bytes(), type=list[str])
    content = (words for words, sense in senses.items() if not sense.filler)
    return Lexicon(
        senses,
        frozenset(words[:end] for words in senses for end in range(1, len(words))),
        frozenset(word for words in senses for word in words),
        frozenset(words[0] for words in senses if len(words) == 1),
        make_speller((word for words in content for word in words), correct),
    )


def _phrases() -> Iterator[tuple[tuple[str, ...], Sense]]:
    folder = files("shared.prompt") / "data"
    for name in FILES:
        for group in msgspec.json.decode((folder / f"{name}.json").read_bytes(), type=list[_Group]):
            values = {field: getattr(group, field) for field in Sense.__struct_fields__}
            sense = Sense(**values)
            for phrase in group.words:
                yield _words(phrase), sense
    for genre in load_genres().values():
        sense = _genre_sense(genre)
        for phrase in (genre.name, *genre.words):
            yield _words(phrase), sense
    fillers = msgspec.json.decode((folder / "fillers.json").read_bytes(), type=dict[str, list[str]])
    for words in fillers.values():
        for phrase in words:
            yield _words(phrase), Sense(filler=True)


def _genre_sense(genre: GenreTraits) -> Sense:
    return Sense(
        genre=genre.name,
        form=genre.form,
        meter=genre.meter if genre.form else None,
        instruments=genre.instruments if genre.closed else (),
        closed=genre.closed,
    )


def _words(phrase: str) -> tuple[str, ...]:
    return tuple(token.word for token in tokenize(phrase))


def _merge(first: Sense, second: Sense) -> Sense:
    """Both senses; the first one where they differ. A filler with another sense is none."""
    ours, theirs = (
        {name: value for name in Sense.__struct_fields__ if (value := getattr(sense, name)) not in (None, (), False)}
        for sense in (first, second)
    )
    both = theirs | ours
    if set(both) - {"filler", "why"}:
        both.pop("filler", None)
    return Sense(**both)


def _variants(word: str) -> Iterator[str]:
    """Plausible basic forms of an inflected word: English plurals, German and Romance endings."""
    if len(word) < _SHORTEST_INFLECTED:
        return
    for ending in ("s", "es", "e", "n", "en", "er", "em", "ly", "ally"):
        if word.endswith(ending) and len(word) - len(ending) > 2:
            yield word[: -len(ending)]
    for ending, basic in (("ies", "y"), ("a", "o"), ("as", "o"), ("os", "o"), ("as", "a"), ("ia", "io")):
        if word.endswith(ending) and len(word) > 4:
            yield word[: -len(ending)] + basic
