"""Turns a prompt into the fields of the prompt builder, so that a form fills itself from a sentence."""

from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from gateway.decoding import format_number
from gateway.prompts.builder import PromptComponents, build_prompt
from gateway.prompts.loops import asks_for_loop
from gateway.prompts.vocabulary import VOCABULARY
from shared.music import HIGHEST_BPM, LOWEST_BPM, MOST_BARS, Understood, bar_quarters
from shared.prompt.reader import read_prompt
from shared.prompt.reading import Reading

MOST_INSTRUMENTS = 16
LONGEST_TEXT = 300


class ParsedPrompt(msgspec.Struct, frozen=True):
    """A prompt as fields, and how its words were read.

    Attributes:
        components: for POST /api/v1/prompt/build. The sentence that it builds reads as the prompt does. What has no
            field of its own, such as a refusal, is in `custom_text`, and so are words that were not understood, or
            the whole prompt if none was.
        duration: in seconds, if the prompt states it.
        understood: words of the prompt and what they were taken for.
        ignored: the content words that were not read, or that no model can follow.
    """

    components: PromptComponents
    duration: float | None
    understood: tuple[Understood, ...]
    ignored: tuple[str, ...]


def parse_prompt(prompt: str) -> ParsedPrompt:
    """Read a prompt into components."""
    reading = read_prompt(prompt)
    return ParsedPrompt(_components(prompt, reading), reading.seconds, reading.understood, reading.ignored)


def _components(prompt: str, reading: Reading) -> PromptComponents:
    tempo, bpm = _tempo(reading)
    fields = PromptComponents(
        genre=reading.genre,
        tempo=tempo,
        bpm=bpm,
        mood=reading.moods[0] if reading.moods else None,
        instruments=reading.instruments[:MOST_INSTRUMENTS] or None,
        key=reading.key.name if reading.key else None,
        meter=reading.meter if reading.meter and _is_meter(reading.meter) else None,
        bars=reading.bars if reading.bars and reading.bars <= MOST_BARS else None,
        loop=asks_for_loop(prompt, reading) or None,
    )
    filled = replace(fields, custom_text=_custom_text(fields, reading))
    return filled if _has_words(filled) else replace(filled, custom_text=prompt[:LONGEST_TEXT])


def _tempo(reading: Reading) -> tuple[str | None, float | None]:
    """The components `tempo` and `bpm`: a word of the vocabulary or a range, or a single tempo."""
    if reading.tempo is None:
        return None, None
    slow, fast = map(float, reading.tempo)
    if slow == fast and LOWEST_BPM <= slow <= HIGHEST_BPM:
        return None, slow
    names = (tempo.name for tempo in VOCABULARY.tempos if (tempo.bpm_min, tempo.bpm_max) == (slow, fast))
    spelt = f"{format_number(slow)} BPM" if slow == fast else f"{format_number(slow)}-{format_number(fast)} BPM"
    return next(names, spelt), None


def _is_meter(meter: str) -> bool:
    try:
        bar_quarters(meter)
    except ValueError:
        return False
    return True


def _custom_text(fields: PromptComponents, reading: Reading) -> str | None:
    """Phrases for what the fields do not tell, and the words that were not understood."""
    built = read_prompt(build_prompt(fields).structured_prompt) if _has_words(fields) else Reading()
    text = ""
    for phrase in (*_phrases(reading, built), *reading.ignored):
        longer = f"{text}, {phrase}" if text else phrase
        if len(longer) <= LONGEST_TEXT:
            text = longer
    return text or None


def _has_words(fields: PromptComponents) -> bool:
    return replace(fields, bars=None, loop=None) != PromptComponents()


def _phrases(reading: Reading, built: Reading) -> Iterator[str]:
    """A phrase for each statement of the prompt that is missing in the sentence that the fields built."""
    if reading.only and not built.only and reading.instruments:
        yield f"only {_listed(reading.instruments)}"
    yield from (f"{mood} mood" for mood in reading.moods if mood not in built.moods)
    yield from (f"no {name}" for name in sorted(reading.refused - built.refused))
    if reading.mode != built.mode and reading.mode is not None:
        yield f"in a {reading.mode} mode"
    if reading.meter != built.meter and reading.meter is not None:
        yield f"in {reading.meter}"
    if reading.energy != built.energy and reading.energy is not None:
        yield f"{reading.energy} energy"
    if reading.feel != built.feel and reading.feel is not None:
        yield f"{reading.feel} feel"
    yield from (part for part in reading.parts if part not in built.parts)
    if reading.intro and not built.intro:
        yield "with an intro"
    if reading.outro and not built.outro:
        yield "with an ending"


def _listed(names: tuple[str, ...]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
