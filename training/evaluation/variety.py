"""Counts how many different scores takes of one prompt have, as clients make them who send no seed.

python -m training.evaluation.variety --model worker/engine/starter_model
"""

import argparse
from collections.abc import Sequence
from typing import Any

from training.evaluation.performance import counted_in
from training.evaluation.prompt_takes import PromptPlayer, PromptTake, recipe_of
from training.evaluation.wishes import Case
from worker.engine.sampler.stored_score import OldScore

PROMPTS = (
    "drum loop only, 120 bpm",
    "metal drums only, 160 bpm",
    "kick drum only, 100 bpm",
    "only claps, 100 bpm",
    "hi-hats only",
    "808 only",
    "click track",
    "solo bass",
    "lofi hip hop with electric piano and vinyl crackle, 82 bpm, in A minor",
    "solo piano, sad, 70 bpm, in D minor",
    "house, 124 bpm, in F minor",
    "epic orchestral trailer, 100 bpm, in C minor",
    "bossa nova with acoustic guitar, no drums, 130 bpm, in G major",
)
TAKES, LEAST = 20, 19
SECONDS = 8.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each prompt; returns 0 if each has enough different scores."""
    parser = argparse.ArgumentParser(description="Count the different scores of takes of one prompt.")
    parser.add_argument("--model", required=True, help="a checkpoint's folder")
    parser.add_argument("--takes", type=int, default=TAKES, help=f"of each prompt ({TAKES})")
    options: Any = parser.parse_args(arguments)
    player = PromptPlayer(options.model, 8)
    try:
        counts = {prompt: count_scores(player, prompt, options.takes) for prompt in PROMPTS}
    finally:
        player.close()
    for prompt, count in counts.items():
        print(f"{count:>3} of {options.takes}  {prompt}")
    return int(min(counts.values()) < options.takes - (TAKES - LEAST))


def count_scores(player: PromptPlayer, prompt: str, takes: int) -> int:
    """How many different scores so many takes have, each with a seed that the gateway draws."""
    recipes = [recipe_of(prompt, None, SECONDS) for _ in range(takes)]
    cases = [Case(prompt=prompt, kind="variety", half="tune")] * takes
    return len(set(map(content, player.make(recipes, cases))))


def content(take: PromptTake) -> bytes:
    """The notes of a take by stream and sixteenth, relative to the key.

    Without tempo, key and instruments: another tonic or piano makes no other score.
    """
    assert take.music.score is not None
    codes = OldScore.read(take.music.score).codes
    return codes[1:, counted_in(codes) :].tobytes()


if __name__ == "__main__":
    raise SystemExit(main())
