"""The key that pitch classes suggest, by the method of Krumhansl and Schmuckler."""

from collections.abc import Sequence
from statistics import correlation

from shared.music import Key

# How well each degree of the scale fits a major and a minor key, from the tonic up: C. L. Krumhansl, Cognitive
# Foundations of Musical Pitch (1990), table 2.1.
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


def suggested_key(weights: Sequence[float]) -> Key | None:
    """The key whose profile fits best (Krumhansl 1990, chapter 4); None if all pitch classes weigh the same.

    Args:
        weights: how much each of the twelve pitch classes sounds, from C on.
    """
    if max(weights) == min(weights):
        return None
    profiles = {False: MAJOR, True: MINOR}
    keys = [Key(tonic, minor) for minor in profiles for tonic in range(12)]
    return max(keys, key=lambda key: correlation(weights, _from(profiles[key.minor], key.tonic)))


def _from(profile: Sequence[float], tonic: int) -> list[float]:
    """The profile by pitch class, from C on."""
    return [profile[(each - tonic) % 12] for each in range(12)]
