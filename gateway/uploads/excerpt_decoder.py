"""The process that cuts a part out of an audio file: `python -I -m gateway.uploads.excerpt_decoder FORMAT START END`.

The file is its input; START and END are seconds. It prints an encoded `Excerpt`; or a `Verdict` as JSON, and exits with
the code `REFUSED`. It gives up what it does not need, like `decoder`.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from gateway.uploads.decoder import BLOCK, FORMATS, RefusedError, restrict
from gateway.uploads.verdict import Verdict
from shared.audio_conditions import Excerpt, encode_excerpt

REFUSED = 3


def excerpt_reader(name: str, start: float, end: float) -> Callable[[], Excerpt]:
    """Import libsndfile; the result reads the part of standard input."""
    import numpy as np
    import soundfile

    def read() -> Excerpt:
        try:
            with soundfile.SoundFile(0, closefd=False) as file:
                if file.format not in FORMATS[name]:
                    raise RefusedError(f"It is no {name} file.")
                rate = file.samplerate
                blocks = list(_blocks(file, round(start * rate), round(end * rate)))
        except soundfile.LibsndfileError as error:
            raise RefusedError(f"It cannot be decoded: {error.error_string.removeprefix('Error : ')}") from error
        if not blocks:
            raise RefusedError(f"It has no audio from {start:g} to {end:g} seconds.")
        samples = np.concatenate(blocks)
        if not np.isfinite(samples).all():
            raise RefusedError("It holds samples that are not numbers. Export it again.")
        if samples.shape[1] > 2:
            samples = samples.mean(1, keepdims=True)
        return Excerpt(sample_rate=rate, channels=samples.shape[1], samples=samples.astype("<f4").tobytes())

    return read


def _blocks(file: Any, first: int, last: int) -> Iterator[Any]:
    """The frames from `first` on, before `last`. Those before them are decoded, too: MP3 files have no exact places."""
    position = 0
    while position < last:
        block = file.read(min(BLOCK, last - position), dtype="float32", always_2d=True)
        if not len(block):
            return
        position += len(block)
        if position > first:
            yield block[max(len(block) - (position - first), 0) :]


def main(name: str, start: str, end: str) -> int:
    """Print the excerpt, or why there is none; returns the exit code."""
    read = excerpt_reader(name, float(start), float(end))
    restrict()
    refusal = "It needs too much memory to be decoded."
    try:
        sys.stdout.buffer.write(encode_excerpt(read()))
        return 0
    except RefusedError as error:
        refusal = str(error)[:300]
    except MemoryError:
        pass
    sys.stdout.buffer.write(msgspec.json.encode(Verdict(refusal=refusal)))
    return REFUSED


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
