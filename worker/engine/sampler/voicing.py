"""Voices chords in close position, in the inversion nearest to a fixed centre."""

from worker.engine.sampler.score import Quality

INTERVALS: dict[Quality, tuple[int, ...]] = {
    Quality.MAJOR: (0, 4, 7),
    Quality.MINOR: (0, 3, 7),
    Quality.DOMINANT7: (0, 4, 7, 10),
    Quality.MAJOR7: (0, 4, 7, 11),
    Quality.MINOR7: (0, 3, 7, 10),
    Quality.POWER: (0, 7, 12),
    Quality.DIMINISHED: (0, 3, 6, 9),
    Quality.SUSPENDED: (0, 5, 7),
}


def voice_chord(root: int, quality: Quality, centre: float) -> tuple[int, ...]:
    """The MIDI keys of a chord, from low to high.

    The fixed centre gives smooth voice leading, since all chords lie within about the same octave. A power chord is not
    inverted, because its inversion is a fourth.

    Args:
        root: the root's pitch class.
        quality: the chord's quality.
        centre: the wanted mean of the notes, a MIDI key.
    """
    classes = [root + interval for interval in INTERVALS[quality]]
    inversions = 1 if quality is Quality.POWER else len(classes)
    candidates = [sorted(classes[turn:] + [note + 12 for note in classes[:turn]]) for turn in range(inversions)]
    shifted = [[note + 12 * octave for note in notes] for notes in candidates for octave in range(10)]
    means = [abs(sum(notes) / len(notes) - centre) for notes in shifted]
    return tuple(shifted[means.index(min(means))])
