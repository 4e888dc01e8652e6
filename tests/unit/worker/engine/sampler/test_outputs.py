import struct

import numpy as np
import pytest
import torch

from shared.files import OUTPUT_KINDS, OutputKind
from tests.unit.worker.engine.sampler.songs import ELECTRO, song
from tests.unit.worker.engine.sampler.test_midi import read
from worker.engine.interface import Midi, Stem
from worker.engine.sampler.codec import SamplerCodec
from worker.engine.sampler.codes import Codes, encode
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.midi import midi
from worker.engine.sampler.outputs import cut, make_outputs, stems
from worker.engine.sampler.score import Event, Header, Note, Score, Section

# A sixteenth at 120 beats a minute, in samples.
STEP = 4000


MIDI: tuple[OutputKind, ...] = ("midi",)
STEMS: tuple[OutputKind, ...] = ("stems",)


def made(codes: Codes, samples: int, *, wanted: tuple[OutputKind, ...] = OUTPUT_KINDS) -> list[Midi | Stem]:
    return list(make_outputs(codes, wanted, samples, on_step=lambda: None))


def made_stems(codes: Codes, samples: int) -> dict[str, np.ndarray]:
    return {each.name: each.samples for each in made(codes, samples) if isinstance(each, Stem)}


def cello(*steps: int, bars: int = 2) -> Codes:
    events: dict[int, Event] = {step: Note("cello", 40) for step in steps}
    return encode(Score(Header(), (Section.VERSE,) * bars, bars * 16, {Stream.BASS: events}))


@pytest.mark.parametrize(("samples", "steps"), [(1, 1), (STEP, 1), (STEP + 1, 2), (20 * STEP, 20), (99 * STEP, 32)])
def test_steps_that_begin_after_the_audio_are_cut(samples: int, steps: int) -> None:
    assert cut(cello(0), samples).shape == (8, 16 + steps)


def test_the_tempo_that_the_codes_declare_decides_what_is_cut() -> None:
    slow, fast = (encode(song(Header(bpm), ELECTRO, 4)) for bpm in (60, 180))
    assert cut(fast, 32_000).shape[1] - 16 == 3 * (cut(slow, 32_000).shape[1] - 16) == 12


def test_midi_ends_where_the_audio_does() -> None:
    (file, *_) = made(cello(0, 8, 20), 10 * STEP)
    assert isinstance(file, Midi)
    assert file.file == midi(cello(0, 8, 20)[:, :26])
    _, notes = read(file.file)
    assert [tick for tick, message in notes if message[0] & 0xF0 == 0x90] == [0, 8 * 120]
    assert struct.unpack(">H", file.file[10:12]) == (2,)


@pytest.mark.parametrize("samples", [5 * STEP + 17, 60 * STEP])
def test_stems_are_as_long_as_the_audio_and_the_silent_ones_are_left_out(samples: int) -> None:
    ((name, stem),) = made_stems(cello(0), samples).items()
    assert (name, stem.shape, stem.dtype.name) == ("bass", (samples, 2), "float32")


def test_stems_with_notes_only_after_the_audio_are_left_out() -> None:
    assert made_stems(cello(20), 10 * STEP) == {}


@pytest.mark.parametrize("samples", [24 * STEP, 24 * STEP + 1234, 40 * STEP])
def test_stems_sum_to_the_audio_of_the_codec(samples: int) -> None:
    codes = encode(song(Header(120), ELECTRO, 2))
    audio = SamplerCodec().stream(samples).push(torch.from_numpy(codes), last=True).numpy()
    total = np.sum(list(made_stems(codes, samples).values()), axis=0)
    assert np.abs(audio).max() > 0.1
    np.testing.assert_allclose(total, audio.T, rtol=0, atol=1e-5)


def test_stems_are_not_levelled() -> None:
    codes, samples = encode(song(Header(120), ELECTRO, 2)), 24 * STEP
    free = stems(codes)
    for name, stem in made_stems(codes, samples).items():
        np.testing.assert_array_equal(stem[: 23 * STEP], free[name][:, : 23 * STEP].T)


def test_only_what_is_wanted_is_made() -> None:
    codes = cello(0)
    assert [type(each) for each in made(codes, STEP, wanted=MIDI)] == [Midi]
    assert [type(each) for each in made(codes, STEP, wanted=STEMS)] == [Stem]
    assert made(codes, STEP, wanted=()) == []


def test_ended_requests_are_not_waited_for() -> None:
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        list(make_outputs(cello(0, bars=8), STEMS, 128 * STEP, on_step=look))
    assert looks == 3
