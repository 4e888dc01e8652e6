"""Checks which wishes of a prompt a take meets, by its MIDI file and its length."""

from collections.abc import Sequence

from shared.music import parse_key
from training.evaluation.midi_score import KICKS, SNARES, MidiScore, names_of
from training.evaluation.wishes import Beat, Wishes

# The share by which a tempo may differ.
WITHIN = 0.005
# Seconds by which a length may differ, and the bars that may follow the last one.
SECONDS_WITHIN, SPARE_BARS = 0.1, 0.5
DRUM_NAMES = {"drums", "drum machine", "percussion", "congas"}


def check_wishes(wish: Wishes, score: MidiScore, seconds: float, reported: Sequence[str]) -> dict[str, bool]:
    """Each wish, and whether it is met.

    Args:
        wish: what the prompt states.
        score: of the take.
        seconds: the length of its audio.
        reported: the words that the model said it ignored, and its warnings.
    """
    return {
        **_grid(wish, score, seconds),
        **_keys(wish, score),
        **_players(wish, score),
        **{f"ignored: {word}": any(word in text.lower() for text in reported) for word in wish.ignored},
    }


def _grid(wish: Wishes, score: MidiScore, seconds: float) -> dict[str, bool]:
    met = {}
    if wish.tempo is not None:
        met["tempo by number"] = abs(score.tempo / wish.tempo - 1) <= WITHIN
    if wish.tempo_range is not None:
        slow, fast = wish.tempo_range
        met["tempo by word"] = slow * (1 - WITHIN) <= score.tempo <= fast * (1 + WITHIN)
    if wish.meter is not None:
        met["meter"] = score.meters == {wish.meter}
    if wish.bars is not None:
        met["bars"] = wish.bars - 0.02 <= seconds / score.bar <= wish.bars + SPARE_BARS
    if wish.seconds is not None:
        met["seconds"] = abs(seconds - wish.seconds) <= max(SECONDS_WITHIN, score.bar / 2)
    if wish.beat is not None:
        met["beat"] = has_beat(score, wish.beat)
    return met


def _keys(wish: Wishes, score: MidiScore) -> dict[str, bool]:
    met = {}
    if wish.key is not None:
        key = parse_key(wish.key)
        met["key stated"] = score.keys[:1] == [(key.tonic, key.minor)]
        met["key by notes"] = score.heard_key == (key.tonic, key.minor)
    if wish.mode is not None:
        met["mode"] = bool(score.keys) and score.keys[0][1] == (wish.mode == "minor")
    return met


def _players(wish: Wishes, score: MidiScore) -> dict[str, bool]:
    met = {f"heard: {' / '.join(names)}": bool(set(names) & score.players) for names in wish.heard}
    met |= {f"refused: {name}": name not in score.players for name in wish.refused}
    if wish.drums is not None:
        met["drums"] = bool(score.kits) == wish.drums
    if wish.bass is not None:
        met["bass"] = score.has_bass == wish.bass
    if wish.only:
        met["only"] = score.streams > 0 and plays_only(score, set(wish.only))
    return met


def plays_only(score: MidiScore, allowed: set[str]) -> bool:
    """Whether nothing but these plays; "drums" allows all that is hit."""
    if score.kits and not allowed & DRUM_NAMES:
        return False
    return all(names_of(track) & allowed for track in score.pitched)


def has_beat(score: MidiScore, beat: Beat) -> bool:
    """Whether at least half of the bars with drums have this beat."""
    if beat == "off-beat":
        return _comes_after_the_beat(score)
    kicks, snares = score.hits(KICKS), score.hits(SNARES)
    fits = {
        "four on the floor": [len(hit & {0, 4, 8, 12}) >= 3 for hit in kicks],
        "backbeat": [{4, 12} <= hit for hit in snares],
        "half-time": [8 in hit and 4 not in hit for hit in snares],
        "three three two": [{3, 6} <= hit or {11, 14} <= hit for hit in snares],
    }[beat]
    return bool(fits) and sum(fits) >= len(fits) / 2


def _comes_after_the_beat(score: MidiScore) -> bool:
    """Whether most chords, that is three notes at once or more, begin between the beats, or on two and four."""
    sixteenth = 60 / score.tempo / 4
    starts: dict[int, int] = {}
    for note in (note for track in score.pitched for note in track.notes):
        step = round(note.start / sixteenth)
        starts[step] = starts.get(step, 0) + 1
    chords = [step for step, notes in starts.items() if notes >= 3]
    after = [step % 4 == 2 or step % 8 == 4 for step in chords]
    return bool(after) and sum(after) >= len(after) / 2
