"""What a prompt says that the music does not follow is told, each with a reason of its own kind."""

import pytest

from shared.prompt.lexicon import load_lexicon
from shared.prompt.reader import read_prompt
from shared.prompt.tokens import tokenize
from shared.prompt.why import load_reasons


def reasons(prompt: str) -> dict[str, str]:
    """The kind of reason for each ignored phrase."""
    kinds = {sentence: kind for kind, sentence in load_reasons().items()}
    return {each.words: kinds[each.because] for each in read_prompt(prompt).ignored_because}


@pytest.mark.parametrize(
    ("prompt", "words", "kind"),
    [
        ("polka with a yodel", "yodel", "singer"),
        ("techno with a flanger", "flanger", "production"),
        ("a sampled organ", "sampled", "production"),
        ("ambient with thunder", "thunder", "noise"),
        ("ska and a kazoo", "kazoo", "instrument"),
        ("fado from portugal", "portugal", "name"),
        ("cello with trills", "trills", "technique"),
        ("chromatic piano", "chromatic", "harmony"),
        ("funk over ii-V-I", "ii-V-I", "harmony"),
        ("organ, Em - C - G - D", "Em - C - G - D", "harmony"),
        ("a metallic harp", "metallic", "timbre"),
        ("organ for a castle", "castle", "scene"),
        ("organ, 6:15 a.m.", "6:15 a.m.", "scene"),
        ("rock, then silence", "silence", "silence"),
        ("a decent polka", "decent", "vague"),
        ("flute ornaments", "ornaments", "detail"),
        ("rock with a harp solo", "solo", "solo"),
        ("techno with a harp loop", "loop", "loop"),
        ("funk, 104 bpm, later 120 bpm", "120 bpm", "second"),
        ("polka with drums only in the intro, no organ in the verse", "in the intro", "section"),
        ("techno with a tango harp and reggae", "tango", "genre"),
        ("500 bars of funk", "500 bars", "range"),
        ("pop of 2023", "2023", "decade"),
        ("techno without drums, then a drum machine and drums", "without drums", "wanted"),
        ("organ 17", "17", "number"),
        ("organ 🐙", "🐙", "symbol"),
        ("organ, тихая ночь", "тихая", "script"),
        ("organ, ज़मीन", "ज़मीन", "script"),
        ("organ, gorbled", "gorbled", "unknown"),
        ("polka, without gorbling", "without gorbling", "unknown"),
    ],
)
def test_each_kind_of_word_has_its_reason(prompt: str, words: str, kind: str) -> None:
    assert reasons(prompt).get(words) == kind, reasons(prompt)


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("slow piano like Mathilde Brunner", "Mathilde Brunner"),
        ("techno after Bright Sparrow, with flute", "Bright Sparrow"),
        ("a harp for Zanzibarland", "Zanzibarland"),
        ("piano, 'The Old Mill Stream', slow", "'The Old Mill Stream'"),
        ("piano, “Dark Was My Morning”", "“Dark Was My Morning”"),
        ("piano 「Blue Harbour」", "「Blue Harbour」"),
    ],
)
def test_names_and_titles_are_told_as_a_whole(prompt: str, name: str) -> None:
    assert reasons(prompt)[name] in ("name", "title")
    assert read_prompt(prompt).moods == ()


@pytest.mark.parametrize(
    "prompt",
    [
        "Dark Piano, Gorbled Strings, Slow Organ", "DARK PIANO, GORBLED", "Dark piano", "'dark piano'",
        "Ein Gorbel und dunkle Orgel", "don't make it dark, I'm sad",
    ],
)  # fmt: skip
def test_capitals_and_quotes_that_are_no_names_change_nothing(prompt: str) -> None:
    assert not {"name", "title"} & set(reasons(prompt).values())


def test_a_genre_that_does_not_count_is_told() -> None:
    reading = read_prompt("tango funk, then ska")
    assert (reading.genre, reading.ignored) == ("funk", ("tango", "ska"))
    reading = read_prompt("hip hop, boom bap")
    assert (reading.genre, reading.ignored) == ("hip hop", ())


def test_what_lies_beyond_the_longest_prompt_has_its_reason() -> None:
    assert reasons("organ " + "la " * 400).popitem()[1] == "length"


def test_marks_and_new_symbols_belong_to_words() -> None:
    assert [token.word for token in tokenize("शांति ⏰ เพลง")] == ["शांति", "⏰", "เพลง"]


def test_every_reason_of_the_data_is_a_sentence_and_every_sentence_is_used() -> None:
    used = {sense.why for sense in load_lexicon().senses.values()} - {None}
    assert used <= set(load_reasons())
    in_code = {
        "title", "solo", "loop", "piece", "while", "section", "second", "genre", "range", "number", "symbol", "script",
        "length", "unknown", "negative", "wanted", "decade",
    }  # fmt: skip
    assert used | in_code == set(load_reasons())
