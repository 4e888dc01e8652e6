"""What is settled before a note is written."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.prompts import VOCABULARY
from training.music.arrangement import arrange
from training.music.ensemble import Ensemble, gather
from training.music.form import Bar, choose_form
from training.music.measure import MEASURES, Measure, fitted, is_compound
from training.music.random_spec import genres
from training.music.spec import Spec
from training.music.style import Mood, Style, moods, styles, usual_instruments
from worker.engine.sampler.degrees import Degree, degree, progression
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import FASTEST, LOUDNESS, SLOWEST, Header, Section

_TEMPOS = {tempo.name: (tempo.bpm_min, tempo.bpm_max) for tempo in VOCABULARY.tempos}
_LEVEL = {Section.INTRO: -1, Section.CHORUS: 1, Section.BREAK: -1, Section.OUTRO: -1}
# Changes of loudness in velocities.
_PUSH = {Section.INTRO: -1, Section.CHORUS: 1, Section.BREAK: -1, Section.BUILD: -1, Section.OUTRO: -1}
_THEME = {Section.CHORUS: 1, Section.BRIDGE: 2}
# Keys that players like; a caption names any.
_COMMON = {False: (0, 7, 2, 5, 9, 4), True: (9, 4, 2, 0, 7, 11)}

_BY_HAND = (
    "pop", "folk", "classical", "jazz", "cinematic", "blues", "latin", "soul", "ambient",
    "bossa nova", "celtic", "flamenco", "gospel", "tango",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PiecePlan:
    """A piece before its notes; `mood` is neutral where it is None. `level` is that of its score.

    With `counter` the arpeggio's stream has a second melody.
    """

    spec: Spec
    style: Style
    mood: Mood | None
    header: Header
    ensemble: Ensemble
    bars: tuple[Bar, ...]
    tonic: Degree
    level: int = 1
    counter: bool = False

    @property
    def measure(self) -> Measure:
        """The beats of a bar."""
        return MEASURES[self.header.meter]

    def note_velocity(self, bar: Bar, velocity: int) -> int:
        """The velocity of a note that would have 0 to 2 without the bar's push; of percussion hits the accent."""
        if self.level == 1:
            return velocity
        return LOUDNESS[max(0, min(5, (1, 3, 4)[velocity] + bar.push))]

    def chord_velocity(self, bar: Bar, *, loud: bool) -> int:
        """The velocity of a chord that would be loud or soft without the bar's push."""
        return int(loud) if self.level == 1 else (2, 0, 1, 3)[max(0, min(3, 1 + loud + bar.push))]

    @property
    def velocity(self) -> int:
        """-1 is softer, 1 harder."""
        return self.mood.velocity if self.mood else 0

    @property
    def end_step(self) -> int:
        """Where the bar `END` begins."""
        return len(self.bars) * self.header.steps


def make_plan(spec: Spec, source: random.Random, level: int = 1) -> PiecePlan:
    """Draw what the spec leaves open."""
    style = styles(level)[spec.genre or _fitting_genre(spec, source, level)]
    mood = moods()[spec.mood] if spec.mood else None
    header = _header(spec, style, mood, source, level)
    style = fitted(style, header)
    ensemble = gather(spec, style, source)
    bars, tonic = _bars(style, mood, header, ensemble, source)
    if level > 1:
        bars = _pushed(bars)
    counter = level > 1 and Stream.LEAD in ensemble.parts and source.random() < style.counter
    return PiecePlan(spec, style, mood, header, ensemble, bars, tonic, level, counter)


def _pushed(bars: Sequence[Bar]) -> tuple[Bar, ...]:
    """The bars with their loudness: a section's own, a crescendo to a chorus, and a decrescendo to the end."""
    pushed = []
    for bar, following in zip(bars, [*bars[1:], None], strict=True):
        push = _PUSH.get(bar.section, 0)
        if bar.section is Section.BUILD:
            push += round(2 * (bar.place + 1) / bar.length)
        elif following and following.section is Section.CHORUS and bar.section is Section.VERSE:
            push += 1
        elif following is None:
            push -= 1
        pushed.append(replace(bar, push=push))
    return tuple(pushed)


def _fitting_genre(spec: Spec, source: random.Random, level: int) -> str:
    """A genre that knows the named instruments; for those that none knows, one that is played by hand."""
    known = {name: _fit(spec, styles(level)[name]) for name in genres(level)}
    if level == 1 and spec.beats == 3:
        known = {name: fit for name, fit in known.items() if styles(level)[name].waltz}
    if level > 1 and spec.beats:
        meter = f"{spec.beats}/{spec.unit}"
        known = {name: fit for name, fit in known.items() if meter == "4/4" or meter in styles(level)[name].meters}
    if spec.instruments and not any(known.values()) and not {"drums", "drum machine"} & set(spec.instruments):
        known = {name: fit for name, fit in known.items() if name in _BY_HAND}
    best = max(known.values())
    return source.choice([name for name, fit in known.items() if fit == best])


def _fit(spec: Spec, style: Style) -> int:
    """How well a genre knows the named instruments; a soloist needs one that lives without a beat."""
    if spec.solo and style.name not in _BY_HAND and "drums" not in spec.instruments:
        return 0
    usual, others = usual_instruments(style), {*style.roles, *style.extras}
    return sum(2 if name in usual else name in others for name in spec.instruments)


def _header(spec: Spec, style: Style, mood: Mood | None, source: random.Random, level: int) -> Header:
    minor = spec.minor
    if minor is None:
        chance = 0.9 * mood.minor + 0.1 * style.minor if mood else style.minor
        minor = source.random() < chance
    key = spec.key if spec.key is not None else source.choice(_COMMON[minor] if source.random() < 0.8 else range(12))
    if level > 1:
        beats, unit = (spec.beats, spec.unit) if spec.beats else _meter(style, source)
    else:
        beats, unit = spec.beats or (3 if source.random() < style.waltz else 4), 4
    swing = source.choices(range(len(style.swing)), style.swing)[0]
    bpm = spec.bpm or _bpm(spec.tempo_word, style, mood, source)
    header = Header(bpm, beats, swing if unit == 4 else 0, key, minor, spec.mood, unit)
    if spec.bpm is None and spec.tempo_word is None and is_compound(header):
        # The style's tempo is that of the beats, which are dotted.
        header = replace(header, bpm=min(bpm * 3 // 2, FASTEST))
    return header


def _meter(style: Style, source: random.Random) -> tuple[int, int]:
    names, weights = [*style.meters, "4/4"], [*style.meters.values(), 1 - sum(style.meters.values())]
    beats, unit = source.choices(names, weights)[0].split("/")
    return int(beats), int(unit)


def _bpm(word: str | None, style: Style, mood: Mood | None, source: random.Random) -> int:
    """A tempo in the style's range, restricted to that of the tempo word."""
    low, high = style.bpm
    if word:
        slowest, fastest = _TEMPOS[word]
        low, high = (
            (max(low, slowest), min(high, fastest)) if low <= fastest and slowest <= high else (slowest, fastest)
        )
        return source.randint(low, high)
    place = mood.tempo + source.uniform(-0.2, 0.2) if mood else source.random()
    return max(SLOWEST, min(FASTEST, round(low + (high - low) * max(0.0, min(1.0, place)))))


def _progressions(style: Style, mood: Mood | None, header: Header, source: random.Random) -> list[str]:
    """The chord progressions of verses, choruses and bridges."""
    own = list(style.in_minor if header.minor else style.major)
    source.shuffle(own)
    chosen = [own[index % len(own)] for index in range(3)]
    color = (mood.in_minor if header.minor else mood.major) if mood and style.colored else ()
    if color and source.random() < 0.5:
        chosen[source.randrange(2)] = source.choice(color)
    return chosen


def _tonic(progressions: Sequence[str]) -> Degree:
    """The final chord: the tonic as the piece plays it."""
    chords = [chord for text in progressions for bar in progression(text) for chord in bar]
    minor = any(numeral.startswith("i") for numeral in " ".join(progressions).split())
    return next((chord for chord in chords if chord.semitones == 0), degree("i" if minor else "I"))


def _bars(
    style: Style, mood: Mood | None, header: Header, ensemble: Ensemble, source: random.Random
) -> tuple[tuple[Bar, ...], Degree]:
    """The bars of the form with their chords, and the final chord."""
    form = choose_form(style.forms, source)
    streams = arrange(style.arrangement, form, ensemble.parts, ensemble.featured, source)
    progressions = _progressions(style, mood, header, source)
    tonic = _tonic(progressions)
    middle = MEASURES[header.meter].half
    energy = style.energy + (mood.energy if mood else 0)
    bars: list[Bar] = []
    for (section, length), playing in zip(form, streams, strict=True):
        theme = _THEME.get(section, 0)
        level = max(0, min(2, energy + _LEVEL.get(section, 0)))
        chords = progression(progressions[theme])
        for place in range(length):
            spread = tuple((half * middle, chord) for half, chord in enumerate(chords[place % len(chords)]))
            start = len(bars) * header.steps
            bars.append(Bar(len(bars), start, section, place, length, theme, level, spread, playing))
    if style.ending == "hold":
        bars[-1] = replace(bars[-1], chords=((0, tonic),))
    return tuple(bars), tonic
