import random
from fractions import Fraction

import pytest

from shared.prompt.reader import read_prompt
from shared.prompt.reading import SectionWish
from tests.unit.worker.engine.sampler.drawing import draw, random_wish
from worker.engine.sampler.codes import decode
from worker.engine.sampler.count_in import make_count_in
from worker.engine.sampler.form import count_bars, form_warnings, make_form
from worker.engine.sampler.plan import make_plan
from worker.engine.sampler.score import Section
from worker.engine.sampler.wish import Wish

# A bar of 4/4 at 120 BPM.
BAR = Fraction(2)
LETTERS = {
    Section.INTRO: "i", Section.VERSE: "v", Section.CHORUS: "C", Section.BRIDGE: "r", Section.BREAK: "b",
    Section.FILL: "f", Section.OUTRO: "o", Section.BUILD: "u",
}  # fmt: skip


def form_of(prompt: str, bars: int, *, level: int = 1) -> str:
    """A letter for each bar; a dot where the model chooses."""
    sections = read_prompt(prompt).sections
    form = make_form(sections, bars, BAR, level=level, begins_at_once=False, source=random.Random(0))
    return "".join(LETTERS[form[bar]] if bar in form else "." for bar in range(bars))


@pytest.mark.parametrize(
    ("prompt", "bars", "form"),
    [
        ("drop at bar 9", 16, "....bbbfCCCC...."),
        ("drop after 8 seconds", 16, "bbbfCCCC........"),
        ("breakdown in the middle", 16, ".......vbbbbC..."),
        ("breakdown at bar 5", 8, "...vbbC."),
        ("breakdown and a drop", 16, "...vbbbfCCCC...."),
        ("intro and outro", 16, "iiiiv.......oooo"),
        ("8 bar intro", 16, "iiiiiiiiv......."),
        ("crescendo", 9, "iiivvvCCC"),
        ("drum fills", 8, "...f...f"),
        ("verse and chorus", 8, "vv..CC.."),
        ("a build-up at bar 5", 16, "....bbbfCCCC...."),
        ("piano", 4, "...."),
    ],
)
def test_the_bars_get_the_sections_that_the_prompt_asks_for(prompt: str, bars: int, form: str) -> None:
    assert form_of(prompt, bars) == form


def test_the_second_level_builds_up() -> None:
    assert form_of("drop at bar 9", 16, level=2) == "....uuuuCCCC...."


def test_what_does_not_fit_is_a_warning() -> None:
    wishes = (SectionWish("drop", bar=9), SectionWish("intro"))
    assert form_of("drop at bar 9", 8) == "........"
    assert list(form_warnings(wishes, 8, BAR)) == ["The prompt asks for drop at bar 9, but the music has only 8 bars."]
    assert list(form_warnings(wishes, 16, BAR)) == []


def test_a_bar_that_is_cut_short_counts_as_one() -> None:
    assert [count_bars(seconds, BAR) for seconds in (0.5, 2.0, 2.1, 3.0, 16.0)] == [1, 1, 1, 2, 8]


def test_a_piece_that_begins_at_once_has_no_intro() -> None:
    form = make_form((), 4, BAR, level=1, begins_at_once=True, source=random.Random(0))
    assert form.keys() == {0}
    assert form[0] in (Section.VERSE, Section.CHORUS)


@pytest.mark.parametrize("seed", range(4))
def test_the_score_has_the_sections_of_the_plan(seed: int) -> None:
    wish = Wish(read_prompt("techno at 120 bpm, 2 bar intro, drop at bar 5, outro"), seconds=16.0, seed=seed)
    form = make_plan(wish).form
    sections = decode(draw([random_wish(seed)], 16 * 9, [make_count_in(wish).limits])[0]).sections
    assert len(form) >= 6
    assert {bar: sections[bar] for bar in form} == form


def test_a_refused_section_never_comes() -> None:
    wish = Wish(read_prompt("techno at 120 bpm, no breakdown, no fills"), seconds=64.0)
    (codes,) = draw([random_wish(0)], 16 * 20, [make_count_in(wish).limits])
    assert not {Section.BREAK, Section.FILL} & set(decode(codes).sections)
