"""What a job made beside its audio, as the files that are stored."""

import hashlib
from typing import NamedTuple

from shared.files import Output, output_key
from shared.messages import Recipe
from worker.delivery.audio_file import make_audio_file, recipe_metadata
from worker.engine.host.generation import Generation


class OutputFile(NamedTuple):
    """A file in memory, and its description in the job's record."""

    output: Output
    data: bytes
    metadata: dict[str, str]


def make_output_files(job_id: str, generation: Generation, sample_rate: int, recipe: Recipe) -> list[OutputFile]:
    """Encode a job's outputs: MIDI as it came, stems as the audio.

    Args:
        job_id: whose they are.
        generation: has all that it will have.
        sample_rate: of the stems, in hertz.
        recipe: what was asked for.

    Raises:
        ValueError: if a sample is not a finite number.
    """
    files = [] if generation.midi is None else [_midi_file(job_id, generation.midi, recipe)]
    for stem, chunks in generation.stems.items():
        name, file = f"{stem}.wav", make_audio_file(chunks, sample_rate, recipe)
        key = output_key(job_id, name)
        output = Output(kind="stem", name=name, key=key, size=len(file.data), sha256=file.sha256)
        files.append(OutputFile(output, file.data, file.metadata))
    return files


def _midi_file(job_id: str, data: bytes, recipe: Recipe) -> OutputFile:
    name, checksum = "audio.mid", hashlib.sha256(data).hexdigest()
    output = Output(kind="midi", name=name, key=output_key(job_id, name), size=len(data), sha256=checksum)
    return OutputFile(output, data, recipe_metadata(recipe) | {"sha256": checksum})
