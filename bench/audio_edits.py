"""What children of takes without a score keep: every sample of the file outside of the new part, over random edits.

`bench.edit` runs it, with a tiny checkpoint of random weights: what is kept does not depend on how the music sounds.
"""

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import soundfile
from msgspec.structs import replace
from numpy.typing import NDArray

from bench.tiny import write_tiny
from gateway.jobs.children import make_child
from gateway.jobs.edit_requests import EditRequest, ExtendRequest, ReplaceRequest, VaryRequest
from shared.messages import JobRecord, JobStatus, Recipe, now
from shared.music import Music, bar_seconds
from worker.engine.batching.engine import BatchingEngine, load
from worker.engine.interface import EngineSettings, Samples
from worker.production.audio_child import context_of, engine_child, join, read_old_audio
from worker.production.grid_fit import fit
from worker.production.produce import produce
from worker.production.take import Take

BARS = 4
LONGEST = 30.0
PARENTS = 6
# Of the parents, in turn.
FILES: tuple[dict[str, Any], ...] = (
    {},
    {"format": "flac", "sample_rate": 48_000, "sample_format": "int24"},
    {"sample_format": "float32", "sample_rate": 44_100},
)


@dataclass(frozen=True, eq=False)
class Stored:
    """A take as it is stored, and the samples that its file holds."""

    record: JobRecord
    file: bytes
    samples: NDArray[Any]


@dataclass
class AudioFindings:
    """What was counted over all edits; the first three are to be equal, and nothing is to be off the grid."""

    edits: int = 0
    before_kept: int = 0
    after_kept: int = 0
    off_grid: float = 0.0
    crossfades: list[float] = field(default_factory=list)


@contextmanager
def tiny_engine() -> Iterator[BatchingEngine]:
    """The engine with a tiny checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        write_tiny(Path(folder) / "tiny")
        settings = EngineSettings(
            engine="batching", model=f"{folder}/tiny", device="cpu", max_slots=1, max_duration=LONGEST
        )
        engine = load(settings, lambda message: None)
        yield engine
        engine.close()


def measure_audio_edits(engine: BatchingEngine, edits: int, source: random.Random) -> AudioFindings:
    """Make children of takes, and of children, and compare each with its parent."""
    found, takes = AudioFindings(), list[Stored]()
    for number in range(edits):
        if number < PARENTS:
            takes.append(_parent(engine, number, source))
        parent = source.choice(takes)
        child = _child(engine, parent, source)
        _compare(parent, child, found)
        takes.append(child)
    return found


def _parent(engine: BatchingEngine, number: int, source: random.Random) -> Stored:
    """Every second take is on a grid."""
    fields = FILES[number % len(FILES)] | {"seed": source.randrange(2**32)}
    recipe = Recipe(model="tiny", prompt="happy piano", duration=round(source.uniform(3, 8), 3), **fields)
    if number % 2:
        bpm = round(source.uniform(100, 160), 1)
        duration = float(BARS * bar_seconds(bpm))
        recipe = replace(recipe, bars=BARS, bpm=bpm, meter="4/4", duration=duration)
    chunks = list(engine.generate(recipe, lambda done, total: None))
    return _stored(recipe, Take(np.concatenate(chunks), engine.info.sample_rate))


def _stored(recipe: Recipe, take: Take) -> Stored:
    with tempfile.TemporaryDirectory() as folder:
        made = produce("gen_000000000000", take, recipe, Path(folder))
        path = Path(folder) / made.audio.name
        kind = "float32" if recipe.sample_format == "float32" else "int32"
        samples, _ = soundfile.read(path, dtype=kind, always_2d=True)
        file = path.read_bytes()
    moment = now()
    record = JobRecord(
        job_id="gen_000000000000",
        recipe=recipe,
        created_at=moment,
        updated_at=moment,
        status=JobStatus.COMPLETED,
        audio=made.audio,
        # What a model with such weights makes has no tempo that could be measured.
        music=Music(bpm=recipe.bpm, meter=recipe.meter, bars=recipe.bars, composed=take.music.composed),
    )
    return Stored(record, file, samples)


def _child(engine: BatchingEngine, parent: Stored, source: random.Random) -> Stored:
    recipe = make_child(parent.record, _request(parent, source), LONGEST)
    old = read_old_audio(parent.file, engine.info.channels)
    asked = engine.generate(engine_child(recipe), lambda done, total: None, excerpt=context_of(old, recipe))
    audio: Samples = np.concatenate(list(asked))
    return _stored(recipe, fit(join(Take(audio, engine.info.sample_rate), recipe, old), recipe))


def _request(parent: Stored, source: random.Random) -> EditRequest:
    """A random edit that is possible."""
    assert parent.record.audio is not None
    duration, recipe = parent.record.audio.duration, parent.record.recipe
    kind = source.choice(("replace", "replace", "extend", "vary"))
    if kind == "extend" and duration < LONGEST - 6:
        bars = ExtendRequest(bars=source.randint(1, 2))
        return bars if recipe.bpm else ExtendRequest(seconds=round(source.uniform(0.5, 3), 2))
    if kind != "replace":
        return VaryRequest(strength=round(source.uniform(0.01, 1), 2))
    if recipe.bars:
        first = source.randint(2, recipe.bars)
        return ReplaceRequest(from_bar=first, to_bar=source.randint(first, recipe.bars))
    begin = round(source.uniform(1, duration - 1.5), 3)
    return ReplaceRequest(from_seconds=begin, to_seconds=round(source.uniform(begin + 0.6, duration), 3))


def _compare(parent: Stored, child: Stored, found: AudioFindings) -> None:
    audio, music, recipe = child.record.audio, child.record.music, child.record.recipe
    assert audio is not None
    assert music is not None
    assert music.composed is not None
    assert recipe.edit is not None
    composed, rate = music.composed, audio.sample_rate
    begin, end, overlap = (
        round((seconds or 0.0) * rate)
        for seconds in (composed.from_seconds, composed.to_seconds, composed.crossfade_seconds)
    )
    found.edits += 1
    found.crossfades.append(overlap / rate)
    found.before_kept += np.array_equal(child.samples[: begin - overlap], parent.samples[: begin - overlap])
    rest = parent.samples[end : len(child.samples)] if recipe.edit.kind == "replace" else parent.samples[:0]
    found.after_kept += np.array_equal(child.samples[end:], rest)
    if recipe.bpm:
        for place in (begin, *([end] if len(rest) else [])):
            beats = place / rate * recipe.bpm / 60
            found.off_grid = max(found.off_grid, abs(beats - round(beats)) * 60 / recipe.bpm * rate)


def audio_report(found: AudioFindings) -> dict[str, float]:
    """The figures by name."""
    return {
        "audio edits": found.edits,
        "audio kept before the part": found.before_kept,
        "audio kept after the part": found.after_kept,
        "audio off the grid, samples": round(found.off_grid, 3),
        "crossfade, seconds": round(median(found.crossfades), 3) if found.crossfades else 0.0,
    }
