"""A score of notes that is played: its audio, its music and its outputs."""

from collections.abc import Callable, Iterator
from contextlib import suppress

from shared.messages import Recipe
from shared.music import Key, Music, SectionStart
from shared.note_score import KeyMark, NoteScore, TempoMap, bar_of, beats_per_minute
from worker.engine.interface import KeptGenerationError, Midi, OnOutput, OnStep, Samples, Stem, Warn
from worker.engine.sampler.bank import Bank, default_bank
from worker.engine.sampler.clock import SAMPLE_RATE
from worker.engine.sampler.note_midi import note_midi
from worker.engine.sampler.note_parts import play_parts
from worker.engine.sampler.note_player import BLOCK, Ensemble, Floats, render


class PlayedTake:
    """Plays the score of a recipe.

    Args:
        recipe: with the score's reference and its length.
        score: that it refers to.
        samples: length of the audio, without the tail of a loop.
        bank: the bank of samples; None is the one in this package.
    """

    def __init__(self, recipe: Recipe, score: NoteScore, samples: int, bank: Bank | None = None) -> None:
        assert recipe.score is not None
        self._recipe = recipe
        self._score = score
        self._samples = samples
        self._bank = default_bank() if bank is None else bank
        self.parts, self.warnings = play_parts(score, recipe.score, samples / SAMPLE_RATE)

    def play(self, on_step: OnStep, on_output: OnOutput) -> Iterator[Samples]:
        """Yield the audio block by block, then make the outputs; see `ScoreEngine.generate`.

        Raises:
            ValueError: if nothing of the score can be played; the message is for the client.
        """
        if not self.parts:
            raise ValueError("No sound resembles anything in this score. Choose other programs.")
        for text in (*self.warnings, *self._cut()):
            on_output(Warn(text))
        made = 0
        with suppress(KeptGenerationError):
            for block in self._audio(Ensemble(self.parts, self._bank)):
                on_step(made, self._samples)
                yield block.T
                made += block.shape[1]

        def check() -> None:
            with suppress(KeptGenerationError):
                on_step(self._samples, self._samples)

        if made:
            self._make_outputs(made, check, on_output)

    def _audio(self, ensemble: Ensemble) -> Iterator[Floats]:
        for start in range(0, self._samples, BLOCK):
            yield ensemble.play(min(BLOCK, self._samples - start))
        if self._recipe.loop:
            yield from ensemble.tail()

    def _cut(self) -> Iterator[str]:
        last = TempoMap(self._score.tempos, self._score.division).seconds(self._score.last_tick)
        if not self._recipe.loop and last > self._samples / SAMPLE_RATE:
            lengths = f"{self._samples / SAMPLE_RATE:g} of its {last:.1f} seconds"
            yield f"The score is longer than music may be: the first {lengths} are played."

    def _make_outputs(self, made: int, check: Callable[[], None], on_output: OnOutput) -> None:
        """The music, and each output as soon as it is ready, of the audio that was made."""
        seconds = min(made, self._samples) / SAMPLE_RATE
        on_output(self._music(seconds))
        if "midi" in self._recipe.outputs:
            on_output(Midi(note_midi(self._score, self.parts, seconds)))
        if "stems" in self._recipe.outputs:
            for part in self.parts:
                sound = render([part], made, self._bank, check)
                if sound.any():
                    name = part.instrument.name.replace(" ", "_")
                    on_output(Stem(name, sound.T, part.instrument))

    def _music(self, seconds: float) -> Music:
        score, is_whole = self._score, seconds == self._samples / SAMPLE_RATE
        tempo, meter, keys = score.tempos, score.meters, score.keys
        return Music(
            bpm=float(beats_per_minute(tempo[0])) if len(tempo) == 1 else None,
            key=Key(keys[0].tonic, keys[0].minor).name if len(keys) == 1 and not _is_default(keys[0]) else None,
            meter=f"{meter[0].beats}/{meter[0].unit}" if len(meter) == 1 else None,
            bars=self._recipe.bars if is_whole else None,
            sections=tuple(self._sections(seconds)),
            instruments=tuple(part.instrument for part in self.parts),
        )

    def _sections(self, seconds: float) -> Iterator[SectionStart]:
        times = TempoMap(self._score.tempos, self._score.division)
        for marker in self._score.markers:
            start = times.seconds(marker.tick)
            if start < seconds:
                yield SectionStart(name=marker.text, bar=bar_of(self._score, marker.tick), start=start)


def _is_default(key: KeyMark) -> bool:
    """Whether it is C major: programs that know no key write that."""
    return key.tonic == 0 and not key.minor
