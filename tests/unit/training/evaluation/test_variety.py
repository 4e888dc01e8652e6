from training.evaluation.prompt_takes import PromptPlayer, recipe_of
from training.evaluation.variety import SECONDS, content, count_scores
from training.evaluation.wishes import Case
from worker.engine.loading.checkpoints import STARTER_FOLDER

PROMPT = "solo piano, 120 bpm, in C major"


def test_a_seed_has_one_score_and_others_have_others() -> None:
    player = PromptPlayer(str(STARTER_FOLDER), 4)
    try:
        recipes = [recipe_of(PROMPT, seed, SECONDS) for seed in (1, 1, 2, 3)]
        found = [content(take) for take in player.make(recipes, [Case(prompt=PROMPT, kind="", half="tune")] * 4)]
        assert found[0] == found[1]
        assert len(set(found)) == 3
        assert count_scores(player, PROMPT, 1) == 1
    finally:
        player.close()
