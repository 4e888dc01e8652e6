"""Reads a negative prompt: everything that it names is refused."""

from collections.abc import Collection, Sequence

from shared.prompt.claims import without_overlaps
from shared.prompt.lengths import find_lengths
from shared.prompt.names import join_names
from shared.prompt.negation import is_content, is_of_a_solo
from shared.prompt.phrases import Phrase, cut
from shared.prompt.plain import Plain
from shared.prompt.reading import Ignored, Understood
from shared.prompt.report import report
from shared.prompt.summary import mark_wanted


def cut_negative(plain: Plain) -> list[Phrase]:
    """The phrases of a negative prompt, each refused. "no drums" says there the same as "drums"."""
    phrases = join_names(cut(plain.text, without_overlaps(find_lengths(plain.text))), plain.text)
    for place, phrase in enumerate(phrases):
        if phrase.claim is not None:
            phrase.why = "negative"
        phrase.refused = is_content(phrase)
        phrase.at_times = phrase.refused and is_of_a_solo(phrases, place)
    return phrases


def report_negative(
    phrases: Sequence[Phrase], plain: Plain, genre: str | None, wanted: Collection[str]
) -> tuple[list[Understood], list[Ignored]]:
    """What is understood and what is ignored of a negative prompt; what the prompt asks for counts for nothing there.

    Args:
        phrases: of the negative prompt.
        plain: its text.
        genre: the prompt's.
        wanted: the prompt's instruments and moods.
    """
    mark_wanted(phrases, {*wanted, genre})
    return report(phrases, plain, genre, loop=False)
