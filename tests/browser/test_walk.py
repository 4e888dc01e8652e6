"""A musician without instructions makes three takes, compares two, loops two bars and downloads one."""

from tests.browser.studio import Studio
from tests.browser.walk import Walk


def test_all_steps_of_a_first_visit_work(studio: Studio) -> None:
    walk = Walk(studio, patience=0)
    *steps, download = walk.steps()
    for step in steps:
        step()
    assert walk.studio.state == "playing"
    assert download() is not None
