import pytest

from shared.prompt.decades import load_decades
from shared.prompt.genres import load_genres
from shared.prompt.reader import read_prompt
from worker.engine.sampler.seats import SEATS


@pytest.mark.parametrize(
    ("prompt", "decade"),
    [
        ("80s pop", "80s"),
        ("early '90s rave", "90s"),
        ("1970s funk", "70s"),
        ("2000s pop punk", "00s"),
        ("music of the sixties", "60s"),
        ("a waltz of the 1830s", "1800s"),
        ("1930s swing", "1930s"),
        ("años 80", "80s"),
        ("80er Synthpop", "80s"),
        ("80年代シティポップ", "80s"),
        ("808s and pianos", None),
        ("20s of piano", None),
    ],
)
def test_decades_are_read_and_are_no_tempo(prompt: str, decade: str | None) -> None:
    reading = read_prompt(prompt)
    assert (reading.decade, reading.tempo) == (decade, None)


def test_the_data_names_known_genres_and_instruments() -> None:
    for decade in load_decades().values():
        assert decade.genre in load_genres()
        assert set(decade.instruments) <= SEATS.keys()
