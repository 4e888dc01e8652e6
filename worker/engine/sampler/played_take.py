"""A score of notes that is played: its audio, its music and its outputs."""

from collections.abc import Callable, Iterator
from contextlib import suppress

from msgspec.structs import replace

from shared.messages import Recipe
from shared.music import Music, SectionStart
from shared.note_score import NoteScore, TempoMap, bar_of, beats_per_minute, signed_key
from worker.engine.interface import KeptGenerationError, Midi, OnOutput, OnStep, Samples, Stem, Warn
from worker.engine.sampler.arrangement import Arrangement
from worker.engine.sampler.bank import Bank, default_bank
from worker.engine.sampler.clock import SAMPLE_RATE
from worker.engine.sampler.note_midi import note_midi
from worker.engine.sampler.note_parts import play_parts
from worker.engine.sampler.note_player import BLOCK, Ensemble, Floats, render


class PlayedTake:
    """Plays the score of a recipe.

    Args:
        recipe: with the score's reference and its length.
        score: that it refers to, or what was made of it, which is played as a whole.
        samples: length of the audio, without the tail of a loop.
        bank: the bank of samples; None is the one in this package.
    """

    def __init__(self, recipe: Recipe, score: NoteScore | Arrangement, samples: int, bank: Bank | None = None) -> None:
        assert recipe.score is not None
        played = recipe.score
        if isinstance(score, Arrangement):
            played, arranged = replace(played, programs={}, instruments=()), score
        else:
            arranged = Arrangement(score)
        self._recipe = recipe
        self._arranged = arranged
        self.score = arranged.score
        self._samples = samples
        self._bank = default_bank() if bank is None else bank
        self.parts, warnings = play_parts(self.score, played, samples / SAMPLE_RATE, arranged.sounds)
        self.warnings = [*arranged.warnings, *warnings]

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
        last = TempoMap(self.score.tempos, self.score.division).seconds(self.score.last_tick)
        if not self._recipe.loop and last > self._samples / SAMPLE_RATE:
            lengths = f"{self._samples / SAMPLE_RATE:g} of its {last:.1f} seconds"
            yield f"The score is longer than music may be: the first {lengths} are played."

    def _make_outputs(self, made: int, check: Callable[[], None], on_output: OnOutput) -> None:
        """The music, and each output as soon as it is ready, of the audio that was made."""
        seconds = min(made, self._samples) / SAMPLE_RATE
        on_output(self._music(seconds))
        if "midi" in self._recipe.outputs:
            on_output(Midi(note_midi(self.score, self.parts, seconds)))
        if "stems" in self._recipe.outputs:
            for part in self.parts:
                sound = render([part], made, self._bank, check)
                if sound.any():
                    name = part.instrument.name.replace(" ", "_")
                    on_output(Stem(name, sound.T, part.instrument))

    def _music(self, seconds: float) -> Music:
        score, is_whole = self.score, seconds == self._samples / SAMPLE_RATE
        tempo, meter, reading = score.tempos, score.meters, self._arranged.reading
        key = self._arranged.key or signed_key(score)
        return Music(
            bpm=float(beats_per_minute(tempo[0])) if len(tempo) == 1 else None,
            key=None if key is None else key.name,
            meter=f"{meter[0].beats}/{meter[0].unit}" if len(meter) == 1 else None,
            bars=self._recipe.bars if is_whole else None,
            sections=tuple(self._sections(seconds)),
            instruments=tuple(part.instrument for part in self.parts),
            understood=reading.understood if reading else None,
            ignored=reading.ignored if reading else None,
            ignored_because=reading.ignored_because if reading else None,
            composed=self._arranged.composed,
        )

    def _sections(self, seconds: float) -> Iterator[SectionStart]:
        times = TempoMap(self.score.tempos, self.score.division)
        for marker in self.score.markers:
            start = times.seconds(marker.tick)
            if start < seconds:
                yield SectionStart(name=marker.text, bar=bar_of(self.score, marker.tick), start=start)
