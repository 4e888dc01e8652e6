"""The same notes for other instruments: what stays, who plays it, and what is told of the rest."""

import random
from itertools import chain, pairwise

import msgspec
import pytest

from shared.messages import Recipe
from shared.note_score import NoteScore
from shared.played_score import PlayedScore
from tests.unit.worker.engine.sampler.note_scores import (
    FLUTE,
    PIANO,
    bass,
    chords,
    drums,
    melody,
    part,
    score,
)
from worker.engine.sampler.arrangement import Arrangement
from worker.engine.sampler.orchestration import orchestrate
from worker.engine.sampler.played_take import PlayedTake
from worker.engine.sampler.ranges import range_of
from worker.engine.sampler.voices import divide
from worker.engine.sampler.wish import read_recipe

BAND = score(melody(), chords(), bass(), drums())


def arranged(
    notes: NoteScore, prompt: str, seed: int = 1, negative: str | None = None, **played: object
) -> Arrangement:
    reference = PlayedScore(sha256="0" * 64, action="orchestrate", **played)  # type: ignore[arg-type]
    recipe = Recipe(model="starter", prompt=prompt, negative_prompt=negative, duration=8.0, seed=seed, score=reference)
    return orchestrate(notes, reference, read_recipe(recipe))


def players(found: Arrangement) -> list[str]:
    """What plays each part, as it is rendered."""
    reference = PlayedScore(sha256="0" * 64, action="orchestrate")
    recipe = Recipe(model="starter", prompt="x", duration=8.0, score=reference)
    return [each.instrument.name for each in PlayedTake(recipe, found, 8 * 32_000).parts]


def spans(notes: NoteScore) -> list[tuple[int, int, int, int]]:
    """Begin, end, pitch class and velocity of all notes."""
    return sorted((n.start, n.end, n.key % 12, n.velocity) for part in notes.parts for n in part.notes)


@pytest.mark.parametrize(
    "prompt", ["string quartet", "8-bit", "jazz trio", "orchestral", "rock band", "flute and harp"]
)
@pytest.mark.parametrize("seed", range(4))
def test_every_pitched_note_keeps_its_time_its_pitch_class_and_its_velocity(prompt: str, seed: int) -> None:
    notes = score(melody(), chords(), bass())
    found = arranged(notes, prompt, seed)
    assert spans(found.score) == spans(notes)
    assert (found.score.tempos, found.score.meters) == (notes.tempos, notes.meters)
    for name, sound in found.sounds.items():
        lowest, highest = range_of(sound)
        keys = [note.key for note in found.score.parts[int(name.split()[1]) - 1].notes]
        assert lowest <= min(keys) <= max(keys) <= highest, sound


def test_a_quartet_divides_the_chords_of_a_piano_by_voices() -> None:
    hands = score(
        part(*((beat, beat + 1, key) for beat in range(8) for key in (48, 60, 64, 67 + beat % 3)), program=PIANO)
    )
    found = arranged(hands, "string quartet")
    assert players(found) == ["violin", "strings", "cello"]
    violin, strings, cello = ([note.key for note in each.notes] for each in found.score.parts)
    assert violin == [67 + beat % 3 for beat in range(8)]
    assert cello == [48] * 8
    assert strings == [60, 64] * 8 or sorted(strings) == [60] * 8 + [64] * 8
    assert spans(found.score) == spans(hands)


def test_lines_of_their_own_are_not_divided() -> None:
    lines = score(*(melody(up=up, program=PIANO) for up in (0, -7, -14, -28)))
    found = arranged(lines, "string quartet")
    assert [len(each.notes) for each in found.score.parts] == [16] * 4
    assert set(found.sounds.values()) == {"violin", "strings", "cello"}
    assert found.sounds["part 1"] == "violin"
    assert found.sounds["part 4"] == "cello"


def test_names_alone_replace_single_instruments() -> None:
    found = arranged(BAND, "with a trumpet")
    assert players(found) == ["trumpet", "piano", "bass guitar", "drums"]


def test_a_genre_gives_every_part_a_player_of_its_own() -> None:
    found = arranged(BAND, "8-bit")
    assert players(found)[:2] == ["synthesizer", "synthesizer 2"]
    assert all(name in ("synthesizer", "synth bass", "drum machine", "synthesizer 2") for name in players(found))


def test_drums_that_an_ensemble_has_not_are_left_out_and_told() -> None:
    found = arranged(BAND, "string quartet")
    assert len(found.score.parts) == 3
    assert "Drums: 16 notes are left out, because the prompt wants none of that kind." in found.warnings
    assert players(arranged(BAND, "rock", negative="drums"))[-1] not in ("drums", "drum machine")


def test_octaves_into_a_range_are_told() -> None:
    low = score(melody(up=-12))
    found = arranged(low, "solo flute")
    assert "The flute plays its part an octave higher." in found.warnings
    assert [note.key - 12 for note in found.score.parts[0].notes] == [note.key for note in low.parts[0].notes]
    wide = score(part(*((beat, beat + 1, 50 + 6 * beat) for beat in range(9)), program=FLUTE))
    assert any("another octave" in text for text in arranged(wide, "solo saxophone").warnings)


def test_a_program_that_the_client_chose_stays() -> None:
    found = arranged(BAND, "string quartet", programs={"part 2": 6})
    assert [each.program for each in found.score.parts][1] == 6
    assert "part 2" not in found.sounds


def test_only_the_wanted_parts_are_used() -> None:
    found = arranged(BAND, "solo cello", instruments=("part 3",))
    assert players(found) == ["cello"]


def test_an_instrument_without_notes_is_told() -> None:
    found = arranged(score(melody()), "only flute, harp and cello")
    assert any(text.startswith("The score has no part left for") for text in found.warnings)


def test_what_only_other_notes_could_give_is_told() -> None:
    found = arranged(BAND, "sad string quartet with a long intro")
    assert "The notes stay as they are, and so does their mood and form." in found.warnings


def test_a_prompt_that_leaves_nothing_to_play_is_refused() -> None:
    with pytest.raises(ValueError, match="leaves no instrument"):
        arranged(score(melody()), "only drums")


def test_the_seed_draws_the_players_of_a_genre() -> None:
    bands = {tuple(players(arranged(BAND, "jazz", seed))) for seed in range(12)}
    assert len(bands) > 2
    assert players(arranged(BAND, "jazz", 3)) == players(arranged(BAND, "jazz", 3))


def test_voices_lose_no_note_and_do_not_cross() -> None:
    source = random.Random(4)
    for _ in range(50):
        moments = sorted(source.sample(range(0, 64), 20))
        each = [(at, at + 1, key) for at in moments for key in source.sample(range(30, 90), source.randint(1, 6))]
        written = part(*each).notes
        voices = divide(written, source.randint(2, 5), 480)
        assert sorted(msgspec.to_builtins([*chain(*voices)])) == sorted(msgspec.to_builtins(written))
        for at in moments:
            keys = [[note.key for note in voice if note.start == at * 480] for voice in voices]
            sounding = [voice for voice in keys if voice]
            assert all(min(above) > max(below) for above, below in pairwise(sounding))


def test_a_mandolin_is_played_and_written_as_one() -> None:
    """It shares its General MIDI program with the guitar."""
    found = arranged(score(melody()), "solo mandolin")
    assert players(found) == ["mandolin"]
