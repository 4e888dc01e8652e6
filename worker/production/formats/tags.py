"""What a file says about itself, the same in every format."""

import json
import re
from fractions import Fraction

import msgspec
from msgspec.structs import replace

from shared.messages import Recipe
from shared.music import Key, Measured, Music, SectionStart, bar_seconds, grid_samples, parse_key
from shared.version import SERVICE, VERSION

SOFTWARE = f"tellurstori-musicgen {VERSION}"
LONGEST_TITLE = 100
# Most bars that are marked in a file, so that its header stays small.
MOST_MARKS = 512
# Control characters, lone surrogates, and the rest of what XML 1.0 does not allow.
_UNPRINTABLE = re.compile("[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Mark(msgspec.Struct, frozen=True):
    """A labelled place: the start of a bar or a section, in frames."""

    frame: int
    label: str


class Tags(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says. None is unknown, and is not written. No job id and no time: equal recipes make equal files.

    Attributes:
        recipe: with the seed of the take in the file, so that it makes the same samples again.
        title: of the request or, without one, the start of its prompt; with the instrument, if this is a stem.
        frames: length of the audio.
        sample_rate: of the file, in hertz.
        checkpoint: identifies the model's weights.
        bpm: quarter notes per minute.
        bars: whole bars in the file.
        is_loop: its end continues at its start. False for audio of a loop that was stopped early.
        bar_starts: in seconds.
        instrument: of a stem; None for the mix.
        lufs: integrated loudness of the mix.
        true_peak: of the mix, in dBTP.
        parent: the job that this music was derived from.
    """

    recipe: Recipe
    title: str
    frames: int
    sample_rate: int
    checkpoint: str | None = None
    bpm: float | None = None
    key: Key | None = None
    meter: str | None = None
    bars: int | None = None
    is_loop: bool = False
    sections: tuple[SectionStart, ...] = ()
    bar_starts: tuple[float, ...] = ()
    instrument: str | None = None
    lufs: float | None = None
    true_peak: float | None = None
    parent: str | None = None

    @property
    def prompt(self) -> str:
        return printable(self.recipe.prompt)

    @property
    def recipe_json(self) -> str:
        """The complete recipe, in ASCII, so that no reader's idea of encodings can damage it."""
        return json.dumps(msgspec.to_builtins(self.recipe), separators=(",", ":"))

    def fields(self) -> dict[str, str]:
        """What free-form tags say, by the name that the field most often has in Vorbis comments."""
        found = {
            "BPM": self.bpm_text,
            "KEY": self.key and self.key.name,
            "METER": self.meter,
            "BARS": self.bars,
            "LOOP": "true" if self.is_loop else None,
            "INSTRUMENT": self.instrument,
            "MODEL": self.recipe.model,
            "CHECKPOINT": self.checkpoint,
            "SEED": self.recipe.seed,
            "PARENT": self.parent,
            "RECIPE": self.recipe_json,
        }
        return {name: str(value) for name, value in found.items() if value is not None}

    @property
    def bpm_text(self) -> str | None:
        """The tempo with as many decimals as it has, at most six."""
        return None if self.bpm is None else f"{self.bpm:.6f}".rstrip("0").rstrip(".")

    @property
    def quarters(self) -> float | None:
        """Length in quarter notes, to which tempos refer."""
        return None if self.bpm is None else self.frames * self.bpm / (60 * self.sample_rate)

    @property
    def root_note(self) -> int | None:
        """The tonic as a MIDI note between 48 and 59: the octave that ACID calls the normal one."""
        return None if self.key is None else 48 + self.key.tonic

    @property
    def short_key(self) -> str | None:
        """The key in three characters at most, as ID3 has it: Am, F#, Bbm."""
        return None if self.key is None else self.key.name.split()[0] + ("m" if self.key.minor else "")

    @property
    def software(self) -> str:
        return SOFTWARE

    @property
    def service(self) -> str:
        return SERVICE

    def chapters(self) -> list[SectionStart]:
        """The sections that start in the file, in order; at most as many as ID3 can list."""
        inside = [section for section in self.sections if 0 <= self._frame(section.start) < self.frames]
        return sorted(inside, key=lambda section: section.start)[:255]

    def marks(self) -> list[Mark]:
        """The starts of sections and bars in order, at most one for each frame; a section's name precedes its bar."""
        found = {self._frame(start): f"Bar {number}" for number, start in enumerate(self.bar_starts, 1)}
        for section in self.sections:
            found[self._frame(section.start)] = f"{section.name} (bar {section.bar})"
        inside = sorted((frame, label) for frame, label in found.items() if 0 <= frame < self.frames)
        return [Mark(frame, label) for frame, label in inside[:MOST_MARKS]]

    def _frame(self, seconds: float) -> int:
        return round(seconds * self.sample_rate)


def tags_for(
    recipe: Recipe,
    music: Music,
    measured: Measured,
    checkpoint: str | None,
    frames: int,
    sample_rate: int,
    instrument: str | None = None,
) -> Tags:
    """The tags of a job's audio, or of a stem.

    Args:
        recipe: with the seed of the take in the file.
        music: as in the job's record.
        measured: of the mix.
        checkpoint: as in the job's record.
        frames: length of the file.
        sample_rate: of the file, in hertz.
        instrument: of a stem, or its name.
    """
    title = _shortened(printable(recipe.title or recipe.prompt)) or SERVICE
    name = printable(instrument or "") or None
    return Tags(
        recipe=recipe,
        title=f"{title} ({name})" if name else title,
        frames=frames,
        sample_rate=sample_rate,
        parent=recipe.parent,
        checkpoint=printable(checkpoint or "") or None,
        bpm=music.bpm,
        key=parse_key(music.key) if music.key else None,
        meter=music.meter,
        bars=music.bars,
        is_loop=_is_loop(recipe, frames, sample_rate),
        sections=tuple(replace(section, name=printable(section.name)) for section in music.sections),
        bar_starts=_bar_starts(music, measured, Fraction(frames, sample_rate)),
        instrument=name,
        lufs=None if name else measured.lufs,
        true_peak=None if name else measured.true_peak_dbtp,
    )


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TITLE else text[: LONGEST_TITLE - 1].rstrip() + "…"


def printable(text: str) -> str:
    """Text on one line without control characters, which XML and other formats do not allow."""
    return " ".join(_UNPRINTABLE.sub(" ", text).split())


def _is_loop(recipe: Recipe, frames: int, sample_rate: int) -> bool:
    """Whether the file has all bars of a loop."""
    if not recipe.loop or recipe.bars is None or recipe.bpm is None or recipe.meter is None:
        return False
    return frames == grid_samples(recipe.bars, recipe.bpm, recipe.meter, sample_rate)


def _bar_starts(music: Music, measured: Measured, seconds: Fraction) -> tuple[float, ...]:
    """The measured downbeats or, where the music states them, its bars from the start of the file."""
    if measured.downbeats:
        return measured.downbeats[:MOST_MARKS]
    if music.bpm is None or music.meter is None:
        return ()
    bar = bar_seconds(music.bpm, music.meter)
    count = min(music.bars or int(seconds / bar) + 1, MOST_MARKS)
    return tuple(float(number * bar) for number in range(count) if number * bar < seconds)
