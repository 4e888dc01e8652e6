"""Produces the files of a take: mix, stems and score, in a folder on disk."""

import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from msgspec.structs import replace
from numpy.typing import NDArray

from shared import tracing
from shared.files import LOSSLESS, Audio, Output, OutputFileKind, audio_key, output_key
from shared.messages import Recipe
from shared.music import Measured, Music
from worker.engine.interface import Samples
from worker.production.asked_length import length_warnings
from worker.production.dawproject import AudioTrack, make_dawproject
from worker.production.formats import tags_for, write_audio
from worker.production.loudness import decibels, integrated_lufs, true_peak
from worker.production.mastering import DEFAULT_LUFS, HIGHEST_PEAK, Level, Mastering, loudness_warnings
from worker.production.midi_notes import InvalidMidiError, read_note_tracks
from worker.production.peaks import waveform_files
from worker.production.produced_files import ProducedFiles, sha256_of
from worker.production.quantize import as_floats, file_samples, fits, for_writing, quantize, restore
from worker.production.shape import file_rate, shape
from worker.production.take import StemAudio, Take

# Audio whose peak is below this level is silent: 60 dB below full scale, which is 1.
SILENCE = 1e-3
# Decibels between the ceiling and the highest peak allowed: changes of the gain and dither move the peaks between the
# samples. Lossy encoders move them by up to half a decibel, and more where the limiter works hard. Encoding takes
# longer than all else, so the margin is large enough that it is rarely repeated.
MARGIN, LOSSY_MARGIN = 0.2, 0.8
MOST_TRIES = 8
# How often all stems are halved so that none is beyond full scale.
MOST_HALVINGS = 8
# How far resampling raises peaks, at most and by experience: a wrong guess costs time only.
RESAMPLING_ROOM = 0.1


def _target(take: Take, recipe: Recipe) -> float | None:
    """The loudness to reach; a child of audio has its parent's level, which was found already."""
    if take.kept:
        return None
    return DEFAULT_LUFS if recipe.loudness is None and take.has_score else recipe.loudness


class _Mix(NamedTuple):
    """The finished mix: `samples` as in its file."""

    samples: NDArray[np.generic]
    level: Level
    measured: Measured
    is_silent: bool


def produce(job_id: str, take: Take, recipe: Recipe, folder: Path) -> ProducedFiles:
    """Produce the files of a job. This takes long: call it in a thread.

    The same take and recipe give the same bytes, and the mix does not depend on `recipe.outputs`.

    Args:
        job_id: of the job.
        take: at least one frame of audio.
        recipe: of the job.
        folder: an empty folder, which gets the files.

    Raises:
        ValueError: if the audio cannot be encoded. The message is for the client.
        OSError: if the folder cannot be written.
    """
    if not np.isfinite(take.audio).all():
        raise ValueError("The model produced samples that are not numbers. Try another seed or a lower cfg_coef.")
    return _Production(job_id, _with_valid_midi(take), recipe, folder).run()


def _with_valid_midi(take: Take) -> Take:
    """The take without a MIDI file that cannot be read: the audio is worth keeping."""
    if take.midi is None:
        return take
    try:
        read_note_tracks(take.midi)
    except InvalidMidiError as error:
        warning = f"The MIDI file is left out, because what the engine made is invalid: {error}."
        return take._replace(midi=None, warnings=(*take.warnings, warning))
    return take


class _Production:
    def __init__(self, job_id: str, take: Take, recipe: Recipe, folder: Path) -> None:
        self._job_id = job_id
        self._take = take
        self._recipe = recipe
        self._folder = folder
        self._rate = file_rate(take, recipe)
        self._audio_name = f"audio.{recipe.format}"
        self._target = _target(take, recipe)
        self._is_lossless = recipe.format in LOSSLESS
        self._sample_format = file_samples(recipe.format, recipe.sample_format)
        # Only such a file may exceed full scale.
        self._is_float_file = self._is_lossless and self._sample_format == "float32"
        self._made_from = recipe if take.seed is None else replace(recipe, seed=take.seed)
        # By name, because stems may be written twice.
        self._extras: dict[str, Output] = {}

    def run(self) -> ProducedFiles:
        with tracing.span("master"):
            mix = self._make_mix()
        with tracing.span("encode"):
            return self._write_files(mix)

    def _write_files(self, mix: _Mix) -> ProducedFiles:
        self._write_waveform("audio", mix.samples, self._recipe.title or self._recipe.prompt)
        outputs = [] if self._take.midi is None else [self._write_bytes("audio.mid", self._take.midi, "midi")]
        audio = self._audio(mix)
        outputs += self._write_stems(mix)
        if outputs:
            outputs.append(self._write_session(audio, outputs, len(mix.samples)))
        return ProducedFiles(
            audio=audio,
            outputs=tuple(outputs),
            extras=tuple(self._extras.values()),
            music=None if self._take.music == Music() else self._take.music,
            measured=mix.measured,
            seed=self._take.seed,
            warnings=(
                *self._take.warnings,
                *length_warnings(self._recipe),
                *loudness_warnings(self._target, mix.measured.lufs),
            ),
            is_silent=mix.is_silent,
        )

    def _make_mix(self) -> _Mix:
        """Make and write the mix, with a lower ceiling each time until the true peak in the file is allowed."""
        raw = shape(self._take.audio, self._take, self._recipe)
        mastering = Mastering(raw, self._rate)
        ceiling = HIGHEST_PEAK - (MARGIN if self._is_lossless else LOSSY_MARGIN)
        for number in range(MOST_TRIES):
            is_kept = number == 0 and bool(self._take.kept)
            level = Level() if is_kept else mastering.find_level(self._target, ceiling)
            sound = raw.copy()
            level.apply(sound)
            samples = quantize(sound, self._sample_format, (self._recipe.seed,))
            if is_kept:
                restore(samples, raw, self._sample_format, self._take.kept)
            heard = self._heard(samples)
            peak = true_peak(heard, self._rate)
            if decibels(peak) <= HIGHEST_PEAK:
                break
            ceiling -= decibels(peak) - HIGHEST_PEAK + MARGIN
        measured = self._measured(heard, peak, level)
        if self._is_lossless:
            self._write(self._audio_name, samples, measured)
        return _Mix(samples, level, measured, bool(np.abs(heard).max(initial=0.0) < SILENCE))

    def _heard(self, samples: NDArray[np.generic]) -> Samples:
        """What a reader decodes from the file of the mix, which a lossy format changes."""
        if self._is_lossless:
            return as_floats(samples, self._sample_format)
        self._write(self._audio_name, samples, self._take.measured)
        heard, _ = soundfile.read(self._folder / self._audio_name, dtype="float32", always_2d=True)
        return np.asarray(heard, np.float32)

    def _measured(self, heard: Samples, peak: float, level: Level) -> Measured:
        lufs = integrated_lufs(heard, self._rate)
        return replace(
            self._take.measured,
            lufs=None if lufs is None else round(lufs, 2),
            true_peak_dbtp=round(decibels(peak), 2) if peak else None,
            gain_db=round(decibels(level.gain), 2) if peak else None,
        )

    def _write_stems(self, mix: _Mix) -> list[Output]:
        """Write the stems; a stem beyond full scale halves all of them, which their `gain_db` tells."""
        if not self._take.stems:
            return []
        stems = sorted(self._take.stems, key=lambda stem: float(np.square(stem.samples).sum()))
        for halvings in range(self._fewest_halvings(stems, mix.level), MOST_HALVINGS):
            outputs = self._try_stems(stems, mix, halvings)
            if outputs is not None:
                return outputs
        raise ValueError("The stems are far louder than their mix. Ask for sample_format float32, or for no stems.")

    def _fewest_halvings(self, stems: list[StemAudio], level: Level) -> int:
        """Those that the stem with the highest peak needs: a try costs the encoding of all stems before that one."""
        peaks = [float(np.abs(stem.samples).max(initial=0.0)) for stem in stems]
        if self._is_float_file or max(peaks) * level.gain < 1 - RESAMPLING_ROOM:
            return 0
        highest, tries = stems[int(np.argmax(peaks))], range(MOST_HALVINGS)
        return next((count for count in tries if self._fits(self._stem_samples(highest, level.times(0.5**count)))), 0)

    def _fits(self, samples: NDArray[np.generic]) -> bool:
        return self._is_float_file or fits(samples, self._sample_format)

    def _try_stems(self, stems: list[StemAudio], mix: _Mix, halvings: int) -> list[Output] | None:
        """Write the stems, divided by a power of two; None if one of them is beyond full scale.

        In formats of integers the loudest stem is what the others leave of the mix. So it takes up their rounding, and
        the integers of all stems sum to those of the mix.

        Args:
            stems: the loudest last.
            mix: finished.
            halvings: the power.
        """
        share = 0.5**halvings
        is_exact = self._sample_format != "float32"
        rest: NDArray[np.int32] | None = None
        if is_exact:
            rest = np.rint(mix.samples.astype(np.float64) * share).astype(np.int32)
        outputs: dict[str, Output] = {}
        for stem in stems:
            if rest is not None and stem is stems[-1]:
                samples: NDArray[np.generic] = rest
            else:
                samples = self._stem_samples(stem, mix.level.times(share))
            if rest is not None and stem is not stems[-1]:
                rest -= samples.astype(np.int32)
            if not self._fits(samples):
                return None
            outputs[stem.name] = self._write_stem(stem, samples, mix.measured, decibels(2.0**halvings))
        return [outputs[stem.name] for stem in self._take.stems]

    def _stem_samples(self, stem: StemAudio, level: Level) -> NDArray[np.generic]:
        sound = shape(stem.samples, self._take, self._recipe)
        level.apply(sound)
        return quantize(sound, self._sample_format, (self._recipe.seed, zlib.crc32(stem.name.encode())))

    def _write_stem(self, stem: StemAudio, samples: NDArray[np.generic], measured: Measured, gain_db: float) -> Output:
        name = f"{stem.name.replace(' ', '_')}.{self._recipe.format}"
        instrument = stem.instrument.name if stem.instrument else stem.name
        self._write(name, samples, measured, instrument)
        self._write_waveform(name.partition(".")[0], samples, stem.name)
        return replace(
            self._output("stem", name),
            instrument=instrument,
            program=stem.instrument.program if stem.instrument else None,
            gain_db=round(gain_db, 4),
        )

    def _write(
        self, name: str, samples: NDArray[np.generic], measured: Measured, instrument: str | None = None
    ) -> None:
        """Write one audio file; `instrument` is None for the mix."""
        take = self._take
        tags = tags_for(self._made_from, take.music, measured, take.checkpoint, len(samples), self._rate, instrument)
        path, found = self._folder / name, for_writing(samples, self._sample_format)
        write_audio(path, found, self._rate, self._recipe.format, tags)

    def _write_waveform(self, name: str, samples: NDArray[np.generic], title: str) -> None:
        """Write the peaks and the picture of an audio file's waveform."""
        heard = as_floats(samples, self._sample_format)
        for file in waveform_files(name, heard, self._rate, title):
            self._extras[file.name] = self._write_bytes(file.name, file.data, file.kind)

    def _write_session(self, audio: Audio, outputs: list[Output], frames: int) -> Output:
        """Write the session of the stems; without stems, of the mix."""
        stems = [output for output in outputs if output.kind == "stem"]
        tracks = [
            AudioTrack(stem.name, file.name, frames, self._rate, audio.channels, stem.instrument, file.gain_db or 0.0)
            for stem, file in zip(self._take.stems, stems, strict=True)
        ] or [AudioTrack("mix", self._audio_name, frames, self._rate, audio.channels)]
        data = make_dawproject(self._made_from, self._take.music, tracks, self._take.midi)
        return self._write_bytes("session.dawproject", data, "project")

    def _write_bytes(self, name: str, data: bytes, kind: OutputFileKind) -> Output:
        (self._folder / name).write_bytes(data)
        return self._output(kind, name)

    def _output(self, kind: OutputFileKind, name: str) -> Output:
        path = self._folder / name
        key = output_key(self._job_id, name)
        return Output(kind=kind, name=name, key=key, size=path.stat().st_size, sha256=sha256_of(path))

    def _audio(self, mix: _Mix) -> Audio:
        path = self._folder / self._audio_name
        frames, channels = mix.samples.shape
        return Audio(
            key=audio_key(self._job_id, self._recipe.format),
            size=path.stat().st_size,
            duration=round(frames / self._rate, 6),
            sample_rate=self._rate,
            channels=channels,
            sha256=sha256_of(path),
        )
