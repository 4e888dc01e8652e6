"""Records all instruments and writes the bank: a zip of Ogg Vorbis files and an index.

apt-get install -y fluidr3mono-gm-soundfont fluidsynth sonic-pi-samples
python -m training.bank.make
"""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt  # type: ignore[import-untyped]

from training.bank.analysis import find_cents, find_loop
from training.bank.brightness import brighten
from training.bank.presets import PRESETS, STRIKES, Preset
from training.bank.recordings import COPYRIGHT, RECORDINGS, Recording, credits_of, record_file
from training.bank.soundfont import LICENCE, SAMPLE_RATE, HeldKey, record
from training.bank.synthesis import clap, crackle, pads, synth_bass, synthesizer, worn
from worker.delivery.k_weighting import power
from worker.engine.checksums import write_checksums

BANK = Path(__file__).parents[2] / "worker/engine/sampler/bank.zip"
LICENCE_FILE = BANK.with_name("bank-licence.txt")
PEAK = 0.9
# The root mean square of a note's loudest 64 ms, after its gain.
LEVEL = 0.1
WINDOW = 2048
STRIKE_VELOCITY = 110
# Of libsndfile: 0 is the best quality, 1 the smallest file.
COMPRESSION = 0.55
SYNTHESISED = {"synthesizer": (synthesizer, 28, 90), "pads": (pads, 33, 85), "synth bass": (synth_bass, 24, 66)}

Audio = NDArray[np.float32]


class Writer:
    """Collects samples and writes the zip."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}
        self.notes: dict[str, list[dict[str, Any]]] = {}
        self.hits: dict[str, dict[str, dict[str, Any]]] = {}

    def add_note(
        self, name: str, root: int, layer: int, audio: Audio, *, sustained: bool = True, tuned: bool = False
    ) -> None:
        """Add a note. Finds the loop of sustained notes, and the tuning unless the note is `tuned`."""
        audio = trim(clean(audio))
        loop = find_loop(audio) if sustained else None
        if loop is not None and loop[2] < 0.7:
            print(f"{name} {root}: the loop fits by {loop[2]:.2f} only")
        entry = self._store(f"{name}/{root}-{layer}.ogg", audio if sustained else fade(audio, 0.25))
        level = loudest(audio)
        entry |= {
            "root": root,
            "cents": 0.0 if tuned else find_cents(audio, root),
            "layer": layer,
            "loop": None if loop is None else loop[:2],
        }
        entry["gain"] = round(entry["gain"] * LEVEL / level, 5)
        self.notes.setdefault(name, []).append(entry)

    def add_hit(self, kit: str, piece: str, audio: Audio, loops: bool = False) -> None:
        """Add a hit. Its gain makes its peak 1."""
        entry = self._store(f"{kit}/{piece}.ogg", audio if loops else fade(trim(clean(audio)), 0.05))
        # The peak of the decoded file: coding can raise it by some decibels.
        decoded, _ = soundfile.read(io.BytesIO(self._files[entry["file"]]), dtype="float32")
        entry["gain"] = round(1 / float(np.max(np.abs(decoded))), 5)
        self.hits.setdefault(kit, {})[piece] = entry | {"loop": [SAMPLE_RATE, len(audio)] if loops else None}

    def write(self, path: Path) -> None:
        """Write the zip."""
        index = {"sample_rate": SAMPLE_RATE, "licence": licence(), "notes": self.notes, "hits": self.hits}
        self._files["index.json"] = json.dumps(index, indent=0).encode()
        with zipfile.ZipFile(path, "w") as bank:
            for name, data in sorted(self._files.items()):
                kind = zipfile.ZIP_DEFLATED if name.endswith(".json") else zipfile.ZIP_STORED
                bank.writestr(zipfile.ZipInfo(name), data, kind)

    def _store(self, file: str, audio: Audio) -> dict[str, Any]:
        peak = float(np.max(np.abs(audio)))
        out = io.BytesIO()
        soundfile.write(out, audio * (PEAK / peak), SAMPLE_RATE, "VORBIS", format="OGG", compression_level=COMPRESSION)
        self._files[file] = out.getvalue()
        return {"file": file, "gain": peak / PEAK}


def clean(audio: Audio) -> Audio:
    """Remove inaudible low frequencies, which the reverb would keep."""
    low_cut = butter(3, 28, "high", fs=SAMPLE_RATE, output="sos")
    return np.asarray(sosfilt(low_cut, audio), np.float32)


def trim(audio: Audio) -> Audio:
    """Remove the silence before and after the sound."""
    heard = np.flatnonzero(np.abs(audio) > 0.001 * np.max(np.abs(audio)))
    return audio[max(0, heard[0] - 8) : heard[-1] + 1].copy()


def fade(audio: Audio, seconds: float) -> Audio:
    """Fade the end out."""
    count = min(len(audio), round(seconds * SAMPLE_RATE))
    audio = audio.copy()
    audio[len(audio) - count :] *= np.linspace(1, 0, count, dtype=np.float32) ** 2
    return audio


def loudest(audio: Audio) -> float:
    """The K-weighted root mean square of the loudest window."""
    starts = range(0, max(1, len(audio) - WINDOW), WINDOW // 2)
    padded = np.pad(audio, (0, WINDOW))
    return float(np.sqrt(max(power(padded[start : start + WINDOW], SAMPLE_RATE) for start in starts)))


def main() -> None:
    writer = Writer()
    record_notes(writer)
    record_hits(writer)
    for name, (make, lowest, highest) in SYNTHESISED.items():
        for root in range(lowest, highest + 1, 4):
            writer.add_note(name, root, 0, make(root), tuned=True)
    for kit, piece, recording in found_recordings():
        writer.add_hit(kit, piece, _treated(kit, piece, record_file(recording)))
    writer.add_hit("percussion/vinyl crackle", "crackle", crackle(), loops=True)
    writer.write(BANK)
    LICENCE_FILE.write_text(licence())
    write_checksums(BANK.parent, [BANK])
    print(f"{BANK}: {BANK.stat().st_size / 1e6:.1f} MB")


def record_notes(writer: Writer) -> None:
    wanted: list[tuple[str, int, Preset, HeldKey]] = []
    for name, presets in PRESETS.items():
        for preset in presets:
            for layer, velocity in enumerate(preset.velocities):
                keys = [HeldKey(preset.bank, preset.program, root, velocity, preset.seconds) for root in preset.roots]
                wanted += [(name, layer, preset, key) for key in keys]
    for (name, layer, preset, key), audio in zip(wanted, record([key for *_, key in wanted]), strict=True):
        writer.add_note(name, key.pitch, layer, brighten(audio, preset.shelf), sustained=preset.sustained)


def record_hits(writer: Writer) -> None:
    wanted = [(kit, piece, strike) for kit, pieces in STRIKES.items() for piece, strike in pieces.items()]
    keys = [HeldKey(found.bank, found.program, found.key, STRIKE_VELOCITY, found.seconds) for *_, found in wanted]
    for (kit, piece, _), audio in zip(wanted, record(keys), strict=True):
        writer.add_hit(kit, piece, audio)


def found_recordings() -> list[tuple[str, str, Recording]]:
    return [(kit, piece, found) for kit, pieces in RECORDINGS.items() for piece, found in pieces.items()]


def _treated(kit: str, piece: str, audio: Audio) -> Audio:
    if kit == "drums/lofi":
        return worn(audio)
    return layered(audio, clap()) if (kit, piece) == ("drums/electronic", "clap_or_rim") else audio


def layered(first: Audio, second: Audio) -> Audio:
    """Two hits at once, both at their peaks."""
    sounds = [trim(sound) / np.max(np.abs(sound)) for sound in (first, second)]
    longest = max(map(len, sounds))
    return np.asarray(sum(np.pad(sound, (0, longest - len(sound))) for sound in sounds), np.float32)


def licence() -> str:
    """The licences of all sounds.

    Raises:
        ValueError: if a recording is not under CC0.
    """
    names = {recording.name for *_, recording in found_recordings()}
    return "\n".join((
        f"Instruments and kits: Debian's {LICENCE.parent.name}. "
        "The synthesizers and the vinyl crackle are this project's.",
        f"The electronic, hard and lofi drums: Debian's {COPYRIGHT.parent.name}, these files under CC0 1.0",
        "(https://creativecommons.org/publicdomain/zero/1.0/), each with its year and author:",
        "", *credits_of(names), "", f"{LICENCE.parent.name}:", "", LICENCE.read_text(),
    ))  # fmt: skip


if __name__ == "__main__":
    main()
