import io
import struct
from fractions import Fraction

import mido
import numpy as np
import pytest
import torch

from shared.files import OUTPUT_KINDS, OutputKind
from shared.music import Ignored, Instrument, Music, SectionStart, Understood, bar_seconds, grid_samples
from shared.prompt.reading import Reading
from tests.unit.worker.engine.sampler.songs import ELECTRO, POP, song
from tests.unit.worker.engine.sampler.test_midi import read
from worker.engine.interface import Midi, Stem
from worker.engine.sampler.codec import SamplerCodec
from worker.engine.sampler.codes import Codes, encode
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.outputs import cut, make_outputs
from worker.engine.sampler.score import Chord, Event, Header, Hits, Note, Quality, Score, Section

# A sixteenth at 120 beats a minute, in samples.
STEP = 4000
RATE = 32_000


MIDI: tuple[OutputKind, ...] = ("midi",)
STEMS: tuple[OutputKind, ...] = ("stems",)


def made(
    codes: Codes, samples: int, *, wanted: tuple[OutputKind, ...] = OUTPUT_KINDS, tail: int = 0
) -> list[Music | Midi | Stem]:
    return list(make_outputs(codes, wanted, samples, tail=tail, on_step=lambda: None))


def made_stems(codes: Codes, samples: int, *, tail: int = 0) -> dict[str, np.ndarray]:
    return {each.name: each.samples for each in made(codes, samples, tail=tail) if isinstance(each, Stem)}


def parsed(file: bytes) -> mido.MidiFile:
    return mido.MidiFile(file=io.BytesIO(file))


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
    (_, file, *_) = made(cello(0, 8, 20), 10 * STEP - 100)
    assert isinstance(file, Midi)
    _, notes = read(file.file)
    assert [tick for tick, message in notes if message[0] & 0xF0 == 0x90] == [0, 8 * 120]
    assert [tick for tick, message in notes if message[0] & 0xF0 == 0x80] == [8 * 120, 10 * 120 - 3]
    assert [sum(message.time for message in track) for track in parsed(file.file).tracks] == [10 * 120 - 3] * 2
    assert struct.unpack(">H", file.file[10:12]) == (2,)


@pytest.mark.parametrize("samples", [5 * STEP + 17, 60 * STEP])
def test_stems_are_as_long_as_the_audio_and_the_silent_ones_are_left_out(samples: int) -> None:
    ((name, stem),) = made_stems(cello(0), samples).items()
    assert (name, stem.shape, stem.dtype.name) == ("cello", (samples, 2), "float32")


def test_stems_with_notes_only_after_the_audio_are_left_out() -> None:
    assert made_stems(cello(20), 10 * STEP) == {}


@pytest.mark.parametrize("samples", [24 * STEP, 24 * STEP + 1234, 40 * STEP])
def test_stems_sum_to_the_audio_of_the_codec(samples: int) -> None:
    codes = encode(song(Header(120), ELECTRO, 2))
    audio = SamplerCodec().stream(samples).push(torch.from_numpy(codes), last=True).numpy()
    total = np.sum(list(made_stems(codes, samples).values()), axis=0)
    assert np.abs(audio).max() > 0.1
    np.testing.assert_allclose(total, audio.T, rtol=0, atol=1e-5)


@pytest.mark.parametrize("band", [POP, ELECTRO])
def test_stems_of_a_loop_sum_to_its_audio_and_tail(band: tuple[str, ...]) -> None:
    codes, samples = encode(song(Header(120), band, 2))[:, : 3 * 16], 32 * STEP
    audio = SamplerCodec().stream(samples, loop=True).push(torch.from_numpy(codes), last=True).numpy()
    tail = audio.shape[1] - samples
    assert RATE / 2 < tail < 13 * RATE
    total = np.sum(list(made_stems(codes, samples, tail=tail).values()), axis=0)
    np.testing.assert_allclose(total, audio.T, rtol=0, atol=1e-5)
    assert np.abs(audio[:, -100:]).max() < 10 ** (-90 / 20) <= np.abs(audio[:, samples : samples + STEP]).max()


def test_the_stems_of_the_same_instrument_are_told_apart_by_their_streams() -> None:
    piano: dict[Stream, dict[int, Event]] = {
        Stream.CHORDS: {0: Chord("piano", 0, Quality.MAJOR)},
        Stream.LEAD: {0: Note("piano", 60), 4: Note("piano", 62)},
        Stream.DRUMS: {0: Hits("electronic", frozenset({"kick"}))},
    }
    codes = encode(Score(Header(), (Section.VERSE,), 16, piano))
    music, _, *found = made(codes, 16 * STEP)
    assert isinstance(music, Music)
    assert [each.name for each in found if isinstance(each, Stem)] == ["piano_chords", "piano_lead", "drum_machine"]
    assert tuple(each.instrument for each in found if isinstance(each, Stem)) == music.instruments
    assert music.instruments == (
        Instrument(name="piano", stream="chords", program=0, channel=2),
        Instrument(name="piano", stream="lead", program=0, channel=5),
        Instrument(name="drum machine", stream="drums", program=25, channel=10),
    )


def test_the_music_is_described() -> None:
    sections = (Section.INTRO, Section.VERSE, Section.VERSE, Section.CHORUS)
    codes = encode(Score(Header(93, 3, 0, 9, True), sections, 48, {Stream.BASS: {0: Note("cello", 40)}}))
    tempo = Fraction("92.5")
    samples = grid_samples(4, 92.5, "3/4", RATE)
    (music,) = make_outputs(codes, (), samples, tempo, on_step=lambda: None)
    bar = bar_seconds(92.5, "3/4")
    assert isinstance(music, Music)
    assert (music.bpm, music.key, music.meter, music.bars) == (92.5, "A minor", "3/4", 4)
    assert music.sections == tuple(
        SectionStart(name=name, bar=number, start=float((number - 1) * bar))
        for name, number in (("intro", 1), ("verse", 2), ("chorus", 4))
    )
    for other in (samples - 1, samples + 1, 1):
        (cut_short,) = make_outputs(codes, (), other, tempo, on_step=lambda: None)
        assert isinstance(cut_short, Music)
        assert cut_short.bars is None


def test_the_music_tells_how_its_prompt_was_read() -> None:
    ignored = (Ignored("vocals", "the starter has no singer"),)
    reading = Reading(understood=(Understood("cellos", "cello"),), ignored_because=ignored)
    (music,) = make_outputs(cello(0), (), STEP, reading=reading, on_step=lambda: None)
    assert isinstance(music, Music)
    assert (music.understood, music.ignored) == (reading.understood, ("vocals",))
    assert music.ignored_because == ignored
    (unprompted,) = make_outputs(cello(0), (), STEP, on_step=lambda: None)
    assert isinstance(unprompted, Music)
    assert (unprompted.understood, unprompted.ignored, unprompted.ignored_because) == (None, None, None)


def test_only_what_is_wanted_is_made() -> None:
    codes = cello(0)
    assert [type(each) for each in made(codes, STEP, wanted=MIDI)] == [Music, Midi]
    assert [type(each) for each in made(codes, STEP, wanted=STEMS)] == [Music, Stem]
    assert [type(each) for each in made(codes, STEP, wanted=())] == [Music]


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
