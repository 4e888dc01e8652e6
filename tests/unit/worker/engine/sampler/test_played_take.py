"""A score of notes that is played: exact onsets, the file's levels and pans, outputs that match the audio."""

import io
from typing import Any

import mido
import numpy as np
import pretty_midi
import pytest
from numpy.typing import NDArray

from gateway.uploads.midi_reader import read_midi
from shared.messages import Recipe
from shared.music import Music
from shared.note_score import NoteScore, TempoMap
from shared.played_score import PlayedScore
from tests.midi_files import control, meta, midi_file, note, program
from worker.engine.interface import KeptGenerationError, Midi, Stem, Warn
from worker.engine.sampler.gm_sounds import general_midi
from worker.engine.sampler.patches import PATCHES
from worker.engine.sampler.played_take import PlayedTake

RATE = 32_000
ORGAN, FLUTE, SAX, WHISTLE, GUNSHOT = 16, 73, 65, 78, 127
Floats = NDArray[np.float32]


def score_of(*tracks: list[Any], **options: Any) -> NoteScore:
    return read_midi(mido.MidiFile(file=io.BytesIO(midi_file(*tracks, **options))))


class Played:
    """What a take of a score gives."""

    def __init__(self, score: NoteScore, seconds: float = 3.0, *, loop: bool = False, **played: Any) -> None:
        recipe = Recipe(
            model="starter",
            prompt="x",
            duration=seconds,
            outputs=("midi", "stems"),
            loop=loop,
            score=PlayedScore(sha256="0" * 64, **played),
        )
        outputs: list[Any] = []
        take = PlayedTake(recipe, score, round(seconds * RATE))
        self.audio: Floats = np.concatenate(list(take.play(lambda done, total: None, outputs.append)))
        self.warnings = [each.text for each in outputs if isinstance(each, Warn)]
        self.stems = {each.name: each.samples for each in outputs if isinstance(each, Stem)}
        (self.music,) = [each for each in outputs if isinstance(each, Music)]
        (self.midi,) = [each.file for each in outputs if isinstance(each, Midi)]

    @property
    def levels(self) -> list[float]:
        """The energy of the left and of the right channel."""
        return [float(level) for level in np.square(self.audio, dtype=np.float64).sum(axis=0)]


def onsets(audio: Floats) -> list[int]:
    """Samples that begin to sound after silence."""
    loud = np.flatnonzero(np.abs(audio).max(axis=1) > 0)
    return [int(loud[0]), *(int(each) for each in loud[1:][np.diff(loud) > 1])]


def test_a_hit_sounds_on_its_sample() -> None:
    """Its tick is on no grid."""
    score = score_of([meta("set_tempo", tempo=433_333), *note(317, 320, 42, channel=9)])
    begin = round(TempoMap(score.tempos, score.division).seconds(317) * RATE)
    audio = Played(score).audio
    assert onsets(audio)[0] == begin
    assert not audio[:begin].any()


def test_onsets_are_those_of_another_reader() -> None:
    """Within half a sample, through changes of tempo: pretty_midi computes times by itself."""
    generator = np.random.default_rng(3)
    tempos = [meta("set_tempo", tick * 700, tempo=int(generator.integers(200_000, 900_000))) for tick in range(4)]
    starts = sorted(int(each) for each in generator.integers(0, 4000, 60))
    data = midi_file([*tempos, program(ORGAN)], [each for start in starts for each in note(start, start + 40, 60)])
    score = read_midi(mido.MidiFile(file=io.BytesIO(data)))
    recipe = Recipe(model="starter", prompt="x", duration=30, score=PlayedScore(sha256="0" * 64))
    strikes = PlayedTake(recipe, score, 30 * RATE).parts[0].strikes
    expected = sorted(note.start for note in pretty_midi.PrettyMIDI(io.BytesIO(data)).instruments[0].notes)
    ours = np.array([strike.begin for strike in strikes]) / RATE
    assert np.abs(ours[np.searchsorted(ours, np.array(expected) - 1e-4)] - expected).max() < 1e-4


def test_the_midi_file_has_the_notes_that_were_read() -> None:
    first = [program(SAX), control(0, 7, 90), control(0, 10, 20), *note(11, 500, 60, velocity=77)]
    second = [meta("track_name", name="Kit"), program(25, 9), *note(240, 250, 36, channel=9)]
    conductor = [meta("set_tempo", tempo=600_000), meta("time_signature", numerator=3, denominator=4)]
    score = score_of([*conductor, meta("marker", 480, text="Bridge")], first, second, division=240)
    again = read_midi(mido.MidiFile(file=io.BytesIO(Played(score).midi)))
    assert (again.tempos, again.meters, again.markers) == (score.tempos, score.meters, score.markers)
    assert [part.notes for part in again.parts] == [part.notes for part in score.parts]
    assert [part.controls for part in again.parts] == [part.controls for part in score.parts]
    assert [(part.program, part.channel) for part in again.parts] == [(SAX, 1), (25, 10)]


def test_programs_that_share_a_channel_get_one_each() -> None:
    score = score_of([program(ORGAN), *note(0, 10, 60), program(FLUTE, tick=20), *note(20, 30, 62)])
    parts = read_midi(mido.MidiFile(file=io.BytesIO(Played(score).midi))).parts
    assert [(part.program, [each.key for each in part.notes]) for part in parts] == [(ORGAN, [60]), (FLUTE, [62])]


DUET = [program(ORGAN), *note(0, 400, 60)], [program(FLUTE, 1), *note(100, 400, 72, channel=1)]


def test_the_stems_sum_to_the_mix() -> None:
    played = Played(score_of(*DUET, note(100, 400, 36, channel=9)))
    assert sorted(played.stems) == ["drums", "flute", "organ"]
    assert np.abs(sum(played.stems.values()) - played.audio).max() < 1e-6


def test_one_instrument_alone_is_its_stem() -> None:
    score = score_of(*DUET)
    alone = Played(score, instruments=("part 2",))
    assert np.array_equal(alone.audio, Played(score).stems["flute"])
    assert [each.name for each in alone.music.instruments] == ["flute"]


def test_another_program_changes_its_part_alone() -> None:
    score = score_of(*DUET)
    before, after = Played(score), Played(score, programs={"part 2": SAX})
    assert np.array_equal(before.stems["organ"], after.stems["organ"])
    assert sorted(after.stems) == ["organ", "saxophone"]
    kept, changed = read_midi(mido.MidiFile(file=io.BytesIO(after.midi))).parts
    assert (kept.program, changed.program, changed.notes) == (ORGAN, SAX, score.parts[1].notes)


def test_velocity_volume_and_expression_set_the_level() -> None:
    def level(*controls: Any, velocity: int = 84) -> float:
        return sum(Played(score_of([program(ORGAN), *controls, *note(0, 400, 60, velocity=velocity)])).levels)

    usual = level()
    assert level(control(0, 7, 50)) == pytest.approx(usual / 16, rel=0.01)
    assert level(control(0, 11, 64)) == pytest.approx(usual * (64 / 127) ** 4, rel=0.01)
    assert level(velocity=58) < usual < level(velocity=112)


def test_a_change_of_the_volume_is_heard_within_a_note() -> None:
    audio = Played(score_of([program(ORGAN), *note(0, 1920, 60), control(960, 11, 0)])).audio
    assert np.abs(audio[RATE // 2 : RATE]).max() > 100 * np.abs(audio[int(2.5 * RATE) :]).max()


def test_pan_is_the_files() -> None:
    left, right = (
        Played(score_of([program(ORGAN), control(0, 10, value), *note(0, 400, 60)])).levels for value in (0, 127)
    )
    assert left[0] > 4 * left[1]
    assert right[1] > 4 * right[0]


def test_a_closed_hi_hat_ends_an_open_one() -> None:
    open_hat = note(0, 10, 46, channel=9)
    alone = Played(score_of(open_hat)).levels
    choked = Played(score_of([*open_hat, *note(100, 110, 44, velocity=1, channel=9)])).levels
    assert sum(choked) < 0.8 * sum(alone)


def test_a_loop_is_followed_by_what_still_sounds() -> None:
    looped = Played(score_of([program(14), *note(0, 960, 72)]), 1.0, loop=True)
    assert len(looped.audio) > RATE
    assert np.abs(looped.audio[-100:]).max() < 1e-4
    assert {len(stem) for stem in looped.stems.values()} == {len(looped.audio)}


def test_a_take_that_is_stopped_has_the_outputs_of_what_was_made() -> None:
    score = score_of([program(ORGAN), *note(0, 4000, 60)])
    recipe = Recipe(model="starter", prompt="x", duration=3, outputs=("stems",), score=PlayedScore(sha256="0" * 64))
    outputs: list[Any] = []

    def on_step(done: int, total: int) -> None:
        if done >= RATE:
            raise KeptGenerationError

    audio = np.concatenate(list(PlayedTake(recipe, score, 3 * RATE).play(on_step, outputs.append)))
    (stem,) = [each for each in outputs if isinstance(each, Stem)]
    assert len(audio) == RATE
    assert np.abs(stem.samples - audio).max() < 1e-6


def test_what_is_not_played_as_written_is_told_in_words() -> None:
    whistle = [program(WHISTLE, 1), *note(0, 10, 120, channel=1), mido.Message("pitchwheel", channel=1, pitch=9)]
    shots = [program(GUNSHOT), *note(0, 10, 60), *note(20, 30, 60)]
    cowbell = [program(3, 9), *note(0, 10, 56, channel=9), *note(0, 10, 60, channel=9)]
    assert Played(score_of(whistle, shots, cowbell)).warnings == [
        "Whistle is played by the nearest sound: flute.",
        "High Bongo is played by the nearest sound: high conga.",
        "3 notes are left out, because no sound resembles them: Gunshot and Cowbell.",
        "The nearest drum kit plays in place of kit 4.",
        "1 note is moved by octaves onto the piano's keys.",
        "Pitch bends are not played: 1 of them were left out.",
    ]


def test_a_score_that_is_cut_says_so() -> None:
    assert Played(score_of([*note(0, 9600, 60)]), 3.0).warnings == [
        "The score is longer than music may be: the first 3 of its 10.0 seconds are played."
    ]


def test_a_score_of_noises_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="Choose other programs"):
        Played(score_of([program(GUNSHOT), *note(0, 10, 60)]))


def test_the_music_is_described_by_the_file() -> None:
    conductor = [meta("set_tempo", tempo=483_871), meta("key_signature", key="Am"), meta("marker", 1920, text="Verse")]
    tracks = [program(0), *note(0, 1920, 60)], note(0, 9, 64), [program(25, 9), *note(0, 9, 36, channel=9)]
    music = Played(score_of(conductor, *tracks)).music
    assert (music.bpm, music.key, music.meter) == (124.0, "A minor", "4/4")
    assert [(each.name, each.bar, round(each.start, 3)) for each in music.sections] == [("Verse", 2, 1.935)]
    assert [(each.name, each.stream, each.program, each.channel) for each in music.instruments] == [
        ("piano", "part 1", 0, 1),
        ("piano 2", "part 2", 0, 1),
        ("drum machine", "part 3", 25, 10),
    ]


@pytest.mark.parametrize("number", range(128))
def test_every_program_is_known(number: int) -> None:
    """By its name in another table."""
    found = general_midi().programs[number]
    assert found.played_by is None or found.played_by in PATCHES
    ours = set(found.name.lower().replace("-", " ").split())
    theirs = pretty_midi.program_to_instrument_name(number).lower().replace("-", " ")
    assert any(word[:4] in theirs for word in ours)
