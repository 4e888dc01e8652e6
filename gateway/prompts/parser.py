"""Turns a prompt into the fields of the prompt builder, so that a form fills itself from a sentence."""

import re
from collections.abc import Iterator
from functools import cache

import msgspec
from msgspec.structs import replace

from gateway.decoding import format_number
from gateway.prompts.builder import PromptComponents, build_prompt
from gateway.prompts.vocabulary import VOCABULARY
from shared.music import HIGHEST_BPM, LOWEST_BPM, MOST_BARS, Ignored, Understood, bar_quarters
from shared.prompt.reader import read_prompt
from shared.prompt.reading import Reading

MOST_INSTRUMENTS = 16
LONGEST_TEXT = 300
# Words for what the builder has no field for.
PARTS = {"melody": "with a melody", "chords": "with chords", "arpeggio": "with an arpeggio"}
FEELS = {"half-time": "half-time feel", "double-time": "double-time feel"}
ENERGIES = {"high": "intense", "low": "sparse"}


class ParsedPrompt(msgspec.Struct, frozen=True):
    """A prompt as fields, and how its words were read.

    Attributes:
        components: for POST /api/v1/prompt/build. The sentence that it builds reads as the prompt does. What has no
            field of its own, such as a refusal, is in `custom_text`, and so are words that were not understood, or
            the whole prompt if none was.
        duration: in seconds, if the prompt states it.
        understood: words of the prompt and what they were taken for.
        ignored: the content words that were not read, or that no model can follow.
        ignored_because: the same words, and why.
    """

    components: PromptComponents
    duration: float | None
    understood: tuple[Understood, ...]
    ignored: tuple[str, ...]
    ignored_because: tuple[Ignored, ...]


def parse_prompt(prompt: str) -> ParsedPrompt:
    """Read a prompt into components."""
    reading = read_prompt(prompt)
    components = _components(prompt, reading)
    return ParsedPrompt(components, reading.seconds, reading.understood, reading.ignored, reading.ignored_because)


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
        loop=reading.loop or None,
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
    spelt = f"{format_number(slow)} BPM" if slow == fast else f"{format_number(slow)}-{format_number(fast)} BPM"
    return next((name for name, word in _tempo_words().items() if _suits(word, reading)), spelt), None


def _suits(word: Reading, reading: Reading) -> bool:
    """Whether a tempo word says what the reading does, and nothing else: "upbeat" is a mood, too.

    "60-80 BPM" stays a number, because numbers come before words in a prompt.
    """
    is_number = any("BPM" in each.meaning and re.search(r"\d", each.words) for each in reading.understood)
    return not is_number and word.tempo == reading.tempo and set(word.moods) <= set(reading.moods)


@cache
def _tempo_words() -> dict[str, Reading]:
    """The readings of the vocabulary's tempo words."""
    return {tempo.name: read_prompt(f"{tempo.name} tempo") for tempo in VOCABULARY.tempos}


def _is_meter(meter: str) -> bool:
    try:
        bar_quarters(meter)
    except ValueError:
        return False
    return True


def _custom_text(fields: PromptComponents, reading: Reading) -> str | None:
    """Phrases for what the fields do not tell, and the words that were not understood."""
    text = ""
    for name, value, phrase in _statements(reading):
        if not _states(_read(fields, text), name, value):
            text = _joined(text, phrase)
    for word in reading.ignored:
        text = _joined(text, word)
    return text or None


def _read(fields: PromptComponents, text: str) -> Reading:
    """The reading of the sentence that the fields and the text build."""
    filled = replace(fields, custom_text=text or None)
    return read_prompt(build_prompt(filled).structured_prompt) if _has_words(filled) else Reading()


def _has_words(fields: PromptComponents) -> bool:
    return replace(fields, bars=None, loop=None) != PromptComponents()


def _states(reading: Reading, name: str, value: object) -> bool:
    said = getattr(reading, name)
    return value in said if isinstance(said, tuple | frozenset) else said == value


def _joined(text: str, phrase: str) -> str:
    """Both, unless they are too long for the field."""
    longer = f"{text}, {phrase}" if text else phrase
    return longer if len(longer) <= LONGEST_TEXT else text


def _statements(reading: Reading) -> Iterator[tuple[str, object, str]]:
    """A field of the reading, what it holds, and a phrase that says so."""
    if reading.only and reading.instruments:
        yield "only", True, f"only {_listed(reading.instruments)}"
    elif reading.only:
        yield "only", True, f"only {_listed(reading.parts)}"
    yield from (("moods", mood, f"{mood} mood") for mood in reading.moods)
    yield from (("parts", part, PARTS.get(part, part)) for part in reading.parts)
    # First those that refuse others too: "no strings" says "no cello".
    for name in sorted(reading.refused, key=lambda name: (-len(read_prompt(f"no {name}").refused), name)):
        yield "refused", name, f"no {name}"
    if reading.mode is not None:
        yield "mode", reading.mode, f"in a {reading.mode} mode"
    if reading.meter is not None:
        yield "meter", reading.meter, f"in {reading.meter}"
    if reading.feel is not None:
        yield "feel", reading.feel, FEELS.get(reading.feel, f"{reading.feel} feel")
    if reading.energy is not None:
        yield "energy", reading.energy, ENERGIES.get(reading.energy, f"{reading.energy} energy")
    yield from (("sections", wish, wish.phrase) for wish in reading.sections)
    if reading.decade is not None:
        yield "decade", reading.decade, f"{reading.decade} sound"
    if reading.four_on_the_floor:
        yield "four_on_the_floor", True, "four on the floor"


def _listed(names: tuple[str, ...]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
