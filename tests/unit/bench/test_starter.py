import pytest

from bench.starter import long_prompts
from shared.prompt.reader import LONGEST, read_prompt
from shared.prompt.why import load_reasons


@pytest.mark.parametrize("name", long_prompts())
def test_the_prompts_are_the_longest_that_are_read_whole(name: str) -> None:
    prompt = long_prompts()[name]
    assert len(prompt) == LONGEST
    too_long = load_reasons()["length"]
    assert too_long not in {each.because for each in read_prompt(prompt).ignored_because}
    assert too_long in {each.because for each in read_prompt(f"{prompt} x").ignored_because}


def test_the_emoji_and_characters_are_known_and_unknown_ones() -> None:
    for name in ("many emoji", "CJK"):
        reading = read_prompt(long_prompts()[name])
        assert reading.understood
        assert reading.ignored
