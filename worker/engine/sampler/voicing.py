"""Which notes a chord becomes: in close position, in the inversion that lies nearest to a fixed centre."""

from worker.engine.sampler.score import Quality

INTERVALS: dict[Quality, tuple[int, ...]] = {
    Quality.MAJOR: (0, 4, 7),
    Quality.MINOR: (0, 3, 7),
    Quality.DOMINANT7: (0, 4, 7, 10),
    Quality.MAJOR7: (0, 4, 7, 11),
    Quality.MINOR7: (0, 3, 7, 10),
    Quality.POWER: (0, 7, 12),
}


def voice_chord(root: int, quality: Quality, centre: float) -> tuple[int, ...]:
    """The pitches of a chord, MIDI keys from low to high.

    A fixed centre makes every change smooth: the notes of all chords lie within the same octave or so. A power chord
    is not inverted, or it would be a fourth.

    Args:
        root: the root's pitch class.
        quality: of the chord.
        centre: where the notes' mean should be, a MIDI key.
    """
    classes = [root + interval for interval in INTERVALS[quality]]
    inversions = 1 if quality is Quality.POWER else len(classes)
    candidates = [sorted(classes[turn:] + [note + 12 for note in classes[:turn]]) for turn in range(inversions)]
    shifted = [[note + 12 * octave for note in notes] for notes in candidates for octave in range(10)]
    means = [abs(sum(notes) / len(notes) - centre) for notes in shifted]
    return tuple(shifted[means.index(min(means))])
