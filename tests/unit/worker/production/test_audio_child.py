"""Children of audio: what stays, where the new audio is, and what the model is asked for."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from msgspec.structs import replace
from numpy.typing import NDArray

from shared.audio_conditions import Excerpt
from shared.edits import Edit, ParentAudio
from shared.files import AudioFormat, SampleFormat
from shared.messages import Recipe
from shared.music import grid_samples
from tests.unit.worker.production.takes import JOB_ID, recipe, take
from training.grid_material import Material, drums
from worker.engine.interface import Samples
from worker.production.audio_child import OldAudio, context_of, engine_child, join, read_old_audio
from worker.production.grid_fit import fit
from worker.production.produce import produce
from worker.production.seam import seam_frames
from worker.production.take import Take

RATE = 32_000
PARENT = ParentAudio(sha256="0" * 64, size=1)
SECONDS = 6.0


def parent_file(folder: Path, channels: int = 2, **fields: Any) -> tuple[bytes, Recipe]:
    """A finished take's file, and its recipe."""
    wanted = replace(recipe(duration=SECONDS, model="small"), **fields)
    folder.mkdir()
    made = take(SECONDS, has_score=False, channels=channels)
    files = produce(JOB_ID, made._replace(audio=made.audio[:, :channels]), wanted, folder)
    return (folder / files.audio.name).read_bytes(), wanted


def child_of(parent: Recipe, begin: float, end: float | None = None, longer: float = 0.0, **fields: Any) -> Recipe:
    kind: Any = "extend" if longer else "vary" if end is None else "replace"
    words = fields.pop("words", None)
    edit = Edit(kind=kind, parent=JOB_ID, audio=PARENT, from_seconds=begin, to_seconds=end, prompt=words)
    return replace(parent, edit=edit, duration=parent.duration + longer, **fields)


def engine_audio(wanted: Recipe, channels: int = 2, level: float = 0.2) -> Samples:
    """What a model might make: noise as long as it was asked for."""
    frames = round(engine_child(wanted).duration * RATE)
    return (level * np.random.default_rng(3).standard_normal((frames, channels))).astype(np.float32)


def samples_of(file: bytes) -> NDArray[Any]:
    kind = "int32" if soundfile.info(io.BytesIO(file)).subtype != "FLOAT" else "float32"
    samples, _ = soundfile.read(io.BytesIO(file), dtype=kind, always_2d=True)
    return np.asarray(samples)


def made_child(old: OldAudio, wanted: Recipe, folder: Path, level: float = 0.2) -> bytes:
    """The file of a child."""
    audio = engine_audio(wanted, old.samples.shape[1], level)
    joined = fit(join(Take(audio, RATE), wanted, old), wanted)
    folder.mkdir()
    files = produce(JOB_ID, joined, wanted, folder)
    return (folder / files.audio.name).read_bytes()


@pytest.mark.parametrize("level", [0.2, 3.0])
@pytest.mark.parametrize(
    ("kind", "samples", "rate", "channels"),
    [
        ("wav", "int16", None, 1),
        ("wav", "int16", 44_100, 2),
        ("wav", "int24", None, 2),
        ("flac", "int24", 48_000, 2),
        ("wav", "float32", 96_000, 1),
    ],
)
def test_every_sample_outside_of_the_new_part_is_the_parents(
    tmp_path: Path, kind: AudioFormat, samples: SampleFormat, rate: int | None, channels: int, level: float
) -> None:
    """In the files, whatever their format, and however loud the new part is."""
    file, parent = parent_file(tmp_path / "parent", channels, format=kind, sample_format=samples, sample_rate=rate)
    old, before = read_old_audio(file, channels), samples_of(file)
    for number, wanted in enumerate(
        (child_of(parent, 3.3, 4.55), child_of(parent, 4.0), child_of(parent, SECONDS, longer=2.0))
    ):
        after = samples_of(made_child(old, wanted, tmp_path / f"child {number}", level))
        assert wanted.edit is not None
        assert wanted.edit.from_seconds is not None
        assert len(after) == round(wanted.duration * old.sample_rate)
        joint = round(wanted.edit.from_seconds * old.sample_rate) - seam_frames(old.sample_rate)
        np.testing.assert_array_equal(after[:joint], before[:joint])
        end = len(after) if wanted.edit.to_seconds is None else round(wanted.edit.to_seconds * old.sample_rate)
        np.testing.assert_array_equal(after[end:], before[end : len(after)])
        new, overwritten = after[joint + seam_frames(old.sample_rate) : end], before[: len(after)]
        assert len(new) > 0.5 * old.sample_rate
        if len(overwritten) == len(after):
            assert not np.array_equal(new, overwritten[-len(new) - (len(after) - end) : end])


def test_the_peaks_of_a_loud_new_part_are_limited_and_the_level_is_told(tmp_path: Path) -> None:
    file, parent = parent_file(tmp_path / "parent")
    old, wanted = read_old_audio(file, 2), child_of(parent, 3.0, 4.0)
    joined = join(Take(engine_audio(wanted, level=3.0), RATE), wanted, old)
    made = produce(JOB_ID, joined, wanted, _folder(tmp_path / "child"))
    assert made.measured is not None
    assert made.measured.true_peak_dbtp is not None
    assert made.measured.true_peak_dbtp <= -1
    assert made.measured.gain_db == 0


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_lossy_child_begins_with_what_its_parents_file_holds(tmp_path: Path) -> None:
    file, parent = parent_file(tmp_path / "parent", format="ogg")
    old, wanted = read_old_audio(file, 2), child_of(parent, 3.0)
    joined = join(Take(engine_audio(wanted), RATE), wanted, old)
    joint = 3 * RATE - seam_frames(RATE)
    np.testing.assert_array_equal(joined.audio[:joint], old.samples[:joint])
    after = samples_of(made_child(old, wanted, tmp_path / "child"))
    assert np.sqrt(np.mean((after[:joint] - samples_of(file)[:joint]) ** 2.0)) < 0.02 * 2**31


def test_the_new_audio_is_where_the_model_put_it(tmp_path: Path) -> None:
    """A click that comes a second after the excerpt is a second after the joint, in any sample rate."""
    for rate in (None, 44_100, 96_000):
        file, parent = parent_file(tmp_path / f"parent {rate}", sample_rate=rate)
        old, wanted = read_old_audio(file, 2), child_of(parent, 3.007, 5.0)
        excerpt = context_of(old, wanted)
        audio = 0 * engine_audio(wanted)
        place = excerpt.duration + 1.0
        audio[round(place * RATE)] = 0.9
        joined = join(Take(audio, RATE), wanted, old)
        new = np.abs(joined.audio[round(3.2 * old.sample_rate) : round(4.9 * old.sample_rate), 0])
        assert round(3.2 * old.sample_rate) + int(np.argmax(new)) == pytest.approx(4.007 * old.sample_rate, abs=2)


def test_the_model_goes_on_from_whole_frames_that_end_at_the_joint(tmp_path: Path) -> None:
    file, parent = parent_file(tmp_path / "parent", sample_rate=44_100)
    old = read_old_audio(file, 2)
    for begin in (0.51, 3.3, 5.999):
        wanted = child_of(parent, begin)
        excerpt = context_of(old, wanted)
        assert (excerpt.duration * 50) % 1 == pytest.approx(0, abs=1e-9)
        assert begin - 0.02 < excerpt.duration <= begin
        joint = round(begin * 44_100)
        heard = np.frombuffer(excerpt.samples, "<f4").reshape(-1, 2)
        np.testing.assert_array_equal(heard, old.samples[joint - len(heard) : joint])


def test_the_model_hears_at_most_twelve_seconds_and_is_asked_for_the_rest_of_the_part() -> None:
    parent = recipe(model="small", duration=40.0, bpm=120.0, key="A minor", meter="4/4")
    old = OldAudio(np.zeros((40 * RATE, 1), np.float32), RATE)
    wanted = child_of(parent, 30.0, 34.0, words="drums only")
    asked = engine_child(wanted)
    assert context_of(old, wanted).duration == 12.0
    assert asked.duration == pytest.approx(16.04)
    assert (asked.prompt, asked.edit) == ("drums only. bpm: 120. key: A minor", None)
    assert asked.audio is not None
    assert asked.audio.kind == "continue_from"
    assert engine_child(child_of(parent, 30.0)).prompt == "house. bpm: 120. key: A minor"


def test_a_loop_stays_a_loop(tmp_path: Path) -> None:
    """The end of the child leads to its start as the parent's does."""
    grid: dict[str, Any] = {"bars": 3, "bpm": 120.0, "meter": "4/4", "loop": True}
    file, parent = parent_file(tmp_path / "parent", **grid)
    old = read_old_audio(file, 2)
    for wanted in (child_of(parent, 4.0), child_of(parent, 6.0, longer=2.0, bars=4)):
        joined = join(Take(engine_audio(wanted), RATE), wanted, old)
        assert len(joined.audio) == grid_samples(wanted.bars or 0, 120.0, "4/4", RATE)
        np.testing.assert_allclose(joined.audio[-1], old.samples[-1], atol=0.01)
        assert len(joined.kept[1]) == 0


def test_a_cut_end_has_no_click(tmp_path: Path) -> None:
    file, parent = parent_file(tmp_path / "parent")
    wanted = child_of(parent, 4.0)
    joined = join(Take(engine_audio(wanted), RATE), wanted, read_old_audio(file, 2))
    assert np.abs(joined.audio[-1]).max() == 0


def test_a_child_that_is_stopped_early_has_the_old_audio_and_what_was_made(tmp_path: Path) -> None:
    file, parent = parent_file(tmp_path / "parent")
    old, wanted = read_old_audio(file, 2), child_of(parent, 3.0, 5.0)
    whole = engine_audio(wanted)
    for seconds, expected in ((2.0, 3.0), (4.0, 4.0)):
        stopped = Take(whole[: round(seconds * RATE)], RATE, is_whole=False)
        joined = join(stopped, wanted, old)
        assert len(joined.audio) == expected * RATE
        assert produce(JOB_ID, joined, wanted, _folder(tmp_path / f"{seconds}")).audio.duration == expected


def test_what_was_composed_is_told(tmp_path: Path) -> None:
    file, parent = parent_file(tmp_path / "parent")
    wanted = child_of(parent, 3.0, 5.0)
    composed = join(Take(engine_audio(wanted), RATE), wanted, read_old_audio(file, 2)).music.composed
    assert composed is not None
    assert (composed.from_seconds, composed.to_seconds, composed.crossfade_seconds) == (3.0, 5.0, 0.03)


def material_child(new_bpm: float) -> Take:
    """A child whose old and new parts are drums, each at its tempo, and on the beat where they meet."""
    old, new = drums(3, 24.0), _faster(drums(3, 24.0), new_bpm)
    bar = round(240 / old.bpm * RATE)
    first, second = round(old.downbeat * RATE), round(new.downbeat * RATE)
    audio = np.concatenate([old.audio[first : first + 4 * bar], new.audio[second : second + 4 * bar]])
    parent = recipe(model="small", bars=8, bpm=old.bpm, meter=old.meter, duration=8 * bar / RATE)
    wanted = child_of(parent, 4 * bar / RATE)
    return fit(Take(audio, RATE, kept=(range(4 * bar),)), wanted)


def _faster(material: Material, bpm: float) -> Material:
    step = bpm / material.bpm if bpm else 1.0
    places = np.arange(0, len(material.audio) - 1, step)
    audio = np.interp(places, np.arange(len(material.audio)), material.audio[:, 0]).astype(np.float32)[:, None]
    return Material(material.name, audio, RATE, material.bpm * step, material.meter, material.downbeat / step)


def test_a_child_that_keeps_the_tempo_is_on_the_grid() -> None:
    same = material_child(0)
    assert (same.music.bpm, same.music.bars, same.warnings) == (drums(3, 24.0).bpm, 8, ())


def test_a_new_part_that_leaves_the_grid_is_told() -> None:
    other = material_child(drums(3, 24.0).bpm * 1.07)
    assert other.music.bpm is None
    assert "The new part may leave the grid" in other.warnings[-1]


def test_what_cannot_be_worked_on_is_refused_with_the_reason(tmp_path: Path) -> None:
    file, parent = parent_file(tmp_path / "parent")
    old = read_old_audio(file, 2)
    with pytest.raises(ValueError, match="Too little of the old audio"):
        context_of(old, child_of(parent, 0.03))
    with pytest.raises(ValueError, match="The take has 2 channels, and the model of this worker makes 1"):
        read_old_audio(file, 1)
    with pytest.raises(ValueError, match="cannot be decoded"):
        read_old_audio(b"RIFF", 1)


def test_an_excerpt_is_what_the_engine_takes(tmp_path: Path) -> None:
    file, parent = parent_file(tmp_path / "parent", channels=1)
    excerpt = context_of(read_old_audio(file, 1), child_of(parent, 2.0))
    assert isinstance(excerpt, Excerpt)
    assert (excerpt.channels, excerpt.sample_rate) == (1, RATE)
