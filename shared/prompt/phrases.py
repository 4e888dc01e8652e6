"""Cuts a prompt into phrases: numbers and keys, known words, and words that nothing knows."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.prompt.claims import Claim
from shared.prompt.lexicon import Sense, load_lexicon
from shared.prompt.tokens import Gap, Token, tokenize


@dataclass(slots=True, eq=False)
class Phrase:
    """Some words of a prompt.

    Attributes:
        start, end: the place in the text.
        words: in lower case.
        gap: what stands before it.
        sense: what it means; None if it is unknown or a claim.
        claim: if it is a number with its unit, or a key.
        refused: whether it is negated.
        marker: the word that negates it, if that has not been told with another one.
        at_times: whether it is refused only for a part of the piece, which no model can follow.
        used: whether its cue did something.
        is_name: whether it is written as a name.
        why: the kind of reason why it counts for nothing, of `data/reasons.json`, if nothing else tells.
    """

    start: int
    end: int
    words: tuple[str, ...]
    gap: Gap
    sense: Sense | None = None
    claim: Claim | None = None
    refused: bool = False
    marker: "Phrase | None" = None
    at_times: bool = False
    used: bool = False
    is_name: bool = False
    why: str | None = None

    @property
    def cue(self) -> str | None:
        """What it does to the words around it."""
        return self.sense.cue if self.sense is not None else None

    @property
    def is_strong(self) -> bool:
        """Whether it names instruments that are wanted."""
        sense = self.sense
        return sense is not None and bool(sense.instruments) and not (sense.weak or self.refused or self.at_times)

    @property
    def is_function(self) -> bool:
        """Whether it says nothing by itself."""
        return self.sense is not None and (self.sense.filler or self.cue in ("article", "and", "or", "exit"))


def cut(text: str, claims: Sequence[Claim]) -> list[Phrase]:
    """The phrases of a text; of the known words, the longest that fit."""
    tokens = tokenize(text)
    phrases: list[Phrase] = []
    for part in _between(tokens, claims):
        phrases += [part] if isinstance(part, Phrase) else _known(part)
    return phrases


def _between(tokens: list[Token], claims: Sequence[Claim]) -> list[Phrase | list[Token]]:
    """The claims as phrases, and the words between them."""
    parts: list[Phrase | list[Token]] = []
    rest = list(reversed(claims))
    open_claim: Claim | None = None
    for token in tokens:
        while rest and rest[-1].start < token.end:
            open_claim = rest.pop()
            if token.start < open_claim.end:
                parts.append(Phrase(open_claim.start, open_claim.end, (), token.gap, claim=open_claim))
        if open_claim is not None and token.start < open_claim.end:
            continue
        if not parts or isinstance(parts[-1], Phrase):
            parts.append([])
        words = parts[-1]
        assert isinstance(words, list)
        words.append(token)
    return parts


def _known(tokens: Sequence[Token]) -> list[Phrase]:
    lexicon = load_lexicon()
    tokens = [mended for token in tokens for mended in lexicon.mend(token)]
    phrases: list[Phrase] = []
    place = 0
    while place < len(tokens):
        end, sense = lexicon.match(tokens, place) or (place + 1, None)
        words = tuple(token.word for token in tokens[place:end])
        last = phrases[-1] if phrases else None
        if sense is None and last is not None and last.sense is None and tokens[place].gap is Gap.NONE:
            # Characters of one unknown word.
            last.end, last.words = tokens[end - 1].end, last.words + words
        else:
            phrases.append(Phrase(tokens[place].start, tokens[end - 1].end, words, tokens[place].gap, sense))
        place = end
    return phrases
