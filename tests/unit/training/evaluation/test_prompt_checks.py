"""The prompts with their wishes, and the checks of takes against them."""

from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pretty_midi
import pytest

import training
from shared.music import Music, Understood, bar_quarters, parse_key
from training.evaluation.listening_checks import hears_tempo, listen
from training.evaluation.midi_score import PROGRAMS, MidiScore
from training.evaluation.prompt_table import unaccounted
from training.evaluation.prompt_takes import PromptTake, _recipe
from training.evaluation.wish_checks import check_wishes, has_beat
from training.evaluation.wishes import Beat, Case, Wishes, load_cases

CASES = load_cases(Path(training.__file__).parent / "evaluation" / "prompts.json")
RATE = 32_000
DRUMS = {"drums", "drum machine", "percussion", "congas"}
KICK, SNARE, CLOSED_HAT, CONGA = 36, 38, 42, 63


def score(
    *tracks: tuple[int, list[tuple[float, int]]],
    hits: list[tuple[float, int]] | None = None,
    tempo: float = 120.0,
    meter: str = "4/4",
    key: int = 9 + 12,
) -> MidiScore:
    """Tracks of a program and its notes; a note is its beat and its pitch, and lasts half a beat."""
    file = pretty_midi.PrettyMIDI(initial_tempo=tempo)
    beats, unit = map(int, meter.split("/"))
    file.time_signature_changes.append(pretty_midi.TimeSignature(beats, unit, 0))
    file.key_signature_changes.append(pretty_midi.KeySignature(key, 0))
    for program, notes, is_drum in [*((*track, False) for track in tracks), (0, hits or [], True)]:
        instrument = pretty_midi.Instrument(program, is_drum=is_drum)
        for beat, pitch in notes:
            start = beat * 60 / tempo
            instrument.notes.append(pretty_midi.Note(90, pitch, start, start + 30 / tempo))
        file.instruments.append(instrument)
    return MidiScore(file)


SCALE = [(float(beat), 57 + step) for beat, step in enumerate((0, 2, 3, 5, 7, 8, 7, 0, 3, 7, 0, 12))]


def test_there_are_enough_prompts_and_each_kind_is_split_evenly() -> None:
    halves = Counter((case.kind, case.half) for case in CASES)
    assert len(CASES) >= 120
    assert len({case.prompt for case in CASES}) == len(CASES)
    assert all(halves[kind, "tune"] - halves[kind, "unseen"] in (0, 1) for kind, _ in halves)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.prompt[:30])
def test_every_wish_is_one_that_can_be_checked(case: Case) -> None:
    wish = case.wish
    named = {name for names in wish.heard for name in names} | {*wish.refused, *wish.only}
    assert named <= set(PROGRAMS) | DRUMS
    assert wish.key is None or parse_key(wish.key).name == wish.key
    assert wish.meter is None or bar_quarters(wish.meter)
    assert wish.tempo is None or wish.tempo_range is None


def test_a_wish_that_no_check_knows_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="tempos"):
        msgspec.json.decode(b'{"tempos": 120}', type=Wishes)


def test_what_is_met_is_told_from_what_is_missed() -> None:
    wish = Wishes(
        tempo=120, key="A minor", meter="4/4", drums=True, bass=False, heard=(("piano",), ("flute",)),
        refused=("piano", "flute"), only=("piano",), bars=3, ignored=("rain", "siren"),
    )  # fmt: skip
    found = check_wishes(wish, score((0, SCALE), hits=[(0, KICK)]), 6.0, ["the rain is left out"])
    assert found == {
        "tempo by number": True, "meter": True, "bars": True, "key stated": True, "key by notes": True,
        "heard: piano": True, "heard: flute": False, "refused: piano": False, "refused: flute": True, "drums": True,
        "bass": True, "only": False, "ignored: rain": True, "ignored: siren": False,
    }  # fmt: skip
    missed = Wishes(tempo=121, key="C major", meter="3/4", drums=False, bass=True, bars=4)
    assert not any(check_wishes(missed, score((0, SCALE), hits=[(0, KICK)]), 6.0, ()).values())


def test_only_drums_allows_what_is_hit_and_nothing_else() -> None:
    wish = Wishes(only=("drums",))
    assert check_wishes(wish, score(hits=[(0, KICK), (1, CONGA)]), 2.0, ()) == {"only": True}
    assert check_wishes(wish, score((33, SCALE), hits=[(0, KICK)]), 2.0, ()) == {"only": False}
    assert check_wishes(wish, score(), 2.0, ()) == {"only": False}


@pytest.mark.parametrize(
    ("beat", "hits"),
    [
        ("four on the floor", [(beat, KICK) for beat in range(8)]),
        ("backbeat", [(beat, SNARE) for beat in (1, 3, 5, 7)]),
        ("half-time", [(beat, SNARE) for beat in (2, 6)]),
        ("three three two", [(beat, SNARE) for beat in (0.75, 1.5, 4.75, 5.5)]),
    ],
)
def test_a_beat_is_told_from_the_others(beat: Beat, hits: list[tuple[float, int]]) -> None:
    played = score(hits=[*hits, (0, CLOSED_HAT), (4, CLOSED_HAT)])
    others: tuple[Beat, ...] = ("four on the floor", "backbeat", "half-time", "three three two")
    assert [other for other in others if has_beat(played, other)] == [beat]


def test_chords_between_the_beats_are_off_beat() -> None:
    chords = [(beat, pitch) for beat in (0.5, 1.5, 2.5) for pitch in (57, 60, 64)]
    assert has_beat(score((26, chords)), "off-beat")
    assert not has_beat(score((26, [(beat - 0.5, pitch) for beat, pitch in chords])), "off-beat")


def pink(seconds: int) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """Two channels of noise whose octaves are equally loud."""
    size = seconds * RATE
    shape = 1 / np.sqrt(np.maximum(np.fft.rfftfreq(size, 1 / RATE), 20))
    noise = np.random.default_rng(1).standard_normal((2, size))
    return 0.05 * np.asarray(np.fft.irfft(np.fft.rfft(noise) * shape).T) / 1e-2


def test_pink_noise_is_as_bright_as_pink_noise_and_independent_channels_are_wide() -> None:
    heard = listen(pink(4), RATE)
    assert heard.highs_to_pink == pytest.approx(0, abs=1)
    assert heard.side_to_mid == pytest.approx(0, abs=0.5)
    assert heard.silent_seconds == 0


def test_equal_channels_have_no_side_and_a_full_scale_tone_between_the_samples_is_a_true_peak() -> None:
    # A quarter of the rate, in the middle between the samples: those reach only 0.707.
    tone = np.repeat(np.sin(np.pi / 2 * np.arange(RATE) + np.pi / 4)[:, None], 2, axis=1)
    heard = listen(tone, RATE)
    assert heard.true_peak == pytest.approx(0, abs=0.2)
    assert heard.side_to_mid < -60


def test_a_silent_second_counts_unless_it_is_the_last() -> None:
    sound = pink(6)
    sound[2 * RATE : 3 * RATE + RATE // 2] = 0
    assert listen(sound, RATE).silent_seconds == 2
    ending = pink(6)
    ending[-RATE:] = 0
    assert listen(ending, RATE).silent_seconds == 0


def test_a_tempo_is_heard_in_clicks() -> None:
    clicks = np.zeros((12 * RATE, 2))
    for beat in range(22):
        start = round(beat * 60 / 112 * RATE)
        clicks[start : start + 800] = np.random.default_rng(beat).uniform(-0.5, 0.5, (800, 1))
    assert hears_tempo(clicks, RATE, 112)
    assert not hears_tempo(clicks, RATE, 120)


def test_a_content_word_must_be_understood_or_reported() -> None:
    case = Case(prompt="Some techno with a big kazoo and a Gong", kind="bpm", half="tune")
    music = Music(understood=(Understood("techno", "techno"),), ignored=("kazoo",))
    take = PromptTake(case, _recipe(case, 1), np.zeros((1, 2)), RATE, b"", music, ())
    assert list(unaccounted(take)) == ["big", "gong"]


def test_a_stated_length_is_left_to_the_prompt() -> None:
    case = Case(prompt="techno", kind="bpm", half="tune")
    assert [_recipe(case, seed).duration for seed in range(5)] == [8, 12, 16, 20, 8]
    stated = Case(prompt="techno", kind="bpm", half="tune", wish=Wishes(bars=4))
    assert _recipe(stated, 0).duration == 30
