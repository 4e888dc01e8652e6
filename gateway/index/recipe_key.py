"""Which recipes are equal."""

from hashlib import blake2b

import msgspec
from msgspec.structs import replace

from shared.messages import JobRecord

Key = bytes

_encode = msgspec.json.Encoder().encode


def recipe_key(record: JobRecord, *, any_seed: bool = False) -> Key:
    """Jobs with equal keys may share audio. With `any_seed`, recipes that differ only in their seed have equal keys.

    Keys include the owner, so audio is never shared between API keys. Every condition for sharing belongs here. The key
    is a digest, because there may be 200,000 of them and only equality matters.
    """
    recipe = record.recipe
    normalized = replace(
        recipe,
        seed=0 if any_seed else recipe.seed,
        # Equal numbers must encode equally: 10 as 10.0, and -0.0 as 0.0.
        duration=recipe.duration + 0.0,
        temperature=recipe.temperature + 0.0,
        top_p=recipe.top_p + 0.0,
        cfg_coef=recipe.cfg_coef + 0.0,
        bpm=None if recipe.bpm is None else recipe.bpm + 0.0,
        loudness=None if recipe.loudness is None else recipe.loudness + 0.0,
        audio=None if recipe.audio is None else recipe.audio.by_content(),
    )
    return blake2b(_encode((record.owner, normalized)), digest_size=16).digest()
