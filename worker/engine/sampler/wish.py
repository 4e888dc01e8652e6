"""What a recipe wishes for: its fields, and the words of its prompt."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from shared.messages import Recipe
from shared.music import DEFAULT_METER, bar_seconds, parse_key
from shared.prompt.reader import read_prompt
from shared.prompt.reading import Reading
from worker.engine.sampler.instruments import Stream

# The named instruments of a piece this short enter at once.
SHORT_SECONDS, SHORT_BARS = 24, 8


@dataclass(frozen=True, slots=True)
class Wish:
    """What a recipe wishes for.

    Attributes:
        reading: what its prompt states; the recipe's fields come before its words.
        seconds: the piece's length.
        seed: draws what the recipe leaves open.
        is_on_grid: whether the piece is whole bars.
        is_short: whether the piece has no time for an intro.
        warnings: a sentence for each contradiction between the fields and the words.
        given: the players of streams whose notes are given, and None for streams that stay silent.
        swing: see `Header`; None leaves it open.
    """

    reading: Reading = field(default_factory=Reading)
    seconds: float = 30.0
    seed: int = 0
    is_on_grid: bool = False
    is_short: bool = False
    warnings: tuple[str, ...] = ()
    given: Mapping[Stream, str | None] = field(default_factory=dict)
    swing: int | None = None

    @property
    def is_understood(self) -> bool:
        """Whether the recipe states anything that a plan can hold."""
        return replace(self.reading, understood=(), ignored_because=(), words="") != Reading()

    @property
    def begins_at_once(self) -> bool:
        """Whether the first bar is no intro, and the named instruments play in it."""
        return (self.is_short or self.is_on_grid) and not self.reading.intro


def read_recipe(recipe: Recipe) -> Wish:
    """Read the fields and the prompt of a recipe."""
    stated = read_prompt(recipe.prompt, recipe.negative_prompt)
    reading, warnings = _with_fields(stated, recipe)
    if stated.loop and not recipe.loop:
        warnings.append("The prompt asks for a loop, but the request has another length: ask with its field loop.")
    short = _is_short(recipe, reading)
    return Wish(reading, recipe.duration, recipe.seed, recipe.bars is not None, short, tuple(warnings))


def _is_short(recipe: Recipe, reading: Reading) -> bool:
    bar = bar_seconds(float(reading.tempo[0]), reading.meter or DEFAULT_METER) if reading.tempo else 0
    return recipe.duration <= max(SHORT_SECONDS, SHORT_BARS * bar)


def _with_fields(reading: Reading, recipe: Recipe) -> tuple[Reading, list[str]]:
    """The reading with the recipe's fields, and warnings."""
    given, warnings = reading, list[str]()
    if recipe.bpm is not None:
        tempo = Fraction(recipe.bpm)
        # As floats: the fraction of 92.1 in the words is not that of the float.
        if reading.tempo and not float(reading.tempo[0]) <= recipe.bpm <= float(reading.tempo[1]):
            stated = f"{format_tempo(reading.tempo[0])} BPM"
            warnings.append(_contradiction(stated, "bpm", format_tempo(tempo)))
        given = replace(given, tempo=(tempo, tempo), impossible_tempo=None)
    if recipe.meter is not None:
        if reading.meter not in (None, recipe.meter):
            warnings.append(_contradiction(str(reading.meter), "meter", recipe.meter))
        given = replace(given, meter=recipe.meter)
    if recipe.key is not None:
        key = parse_key(recipe.key)
        if reading.key not in (None, key):
            warnings.append(_contradiction(reading.key.name, "key", key.name))
        given = replace(given, key=key)
    return given, warnings


def _contradiction(words: str, field: str, value: str) -> str:
    return f"The prompt says {words}, but the request's {field} is {value}: the music follows the request."


def format_tempo(tempo: Fraction) -> str:
    """A tempo as clients write it, such as 92.5."""
    return f"{float(tempo):.10g}"
