from fractions import Fraction

import pytest

from shared.prompt import PromptComponents, build_prompt
from worker.engine.sampler.key_names import Key
from worker.engine.sampler.prompt_reader import read_prompt

C, EB, E, F, FS, AB, A, BB = 0, 3, 4, 5, 6, 8, 9, 10


@pytest.mark.parametrize(
    ("prompt", "bpm"),
    [
        ("808 drums, 131 BPM", 131),
        ("trap with 808 bass, 96 bpm", 96),
        ("techno, 133bpm", 133),
        ("hip hop music, at 96 BPM, featuring 808 drums", 96),
        ("bpm: 96", 96),
        ("BPM=96, 808s", 96),
        ("808 bpm 96", 96),
        ("soul tune, \uff19\uff18\uff22\uff30\uff2d, organ", 98),
        ("at 82.5 bpm", 82.5),
        ("at precisely 96 beats per minute", 96),
        ("90 quarter notes a minute", 90),
        ("tempo: 120, 4/4", 120),
        ("♩=132, latin piano", 132),
        ("a 120-bpm loop", 120),
        ("120 B.P.M.", 120),
        ("70s funk at 104 bpm, not 320kbps", 104),
        ("999 bpm", 999),
    ],
)
def test_the_number_that_stands_with_bpm_is_the_tempo(prompt: str, bpm: float) -> None:
    assert read_prompt(prompt).tempo == (Fraction(bpm), Fraction(bpm))


@pytest.mark.parametrize("prompt", ["104-112 BPM", "104 to 112 bpm", "between 104 and 112 bpm", "104 – 112bpm"])
def test_a_range_is_both_of_its_tempos(prompt: str) -> None:
    assert read_prompt(f"afrobeat, {prompt}").tempo == (Fraction(104), Fraction(112))


@pytest.mark.parametrize(
    "prompt",
    [
        "808 bass",
        "TR-909 kick",
        "80s pop",
        "1970s funk",
        "320kbps, 44.1kHz",
        "24/7",
        "0 bpm",
        "take 5",
        "140",
        "tempo 2x",
    ],
)
def test_other_numbers_are_no_tempo(prompt: str) -> None:
    assert read_prompt(prompt).tempo is None


def test_the_prompt_builders_own_sentences_are_read() -> None:
    components = PromptComponents(
        genre="hip hop", tempo="96 BPM", instruments=("808 drums",), custom_text="in F# minor, 3/4"
    )
    reading = read_prompt(build_prompt(components).structured_prompt)
    assert (reading.tempo, reading.key, reading.meter) == ((Fraction(96), Fraction(96)), Key(FS, True), "3/4")


@pytest.mark.parametrize(
    ("prompt", "tonic", "minor"),
    [
        ("piano in B-flat major", BB, False),
        ("piano in B flat major", BB, False),
        ("Bb major, piano", BB, False),
        ("B♭maj", BB, False),
        ("A♭ major", AB, False),
        ("F sharp minor", FS, True),
        ("f# minor", FS, True),
        ("F#m UK garage", FS, True),
        ("Cmin", C, True),
        ("C maj.", C, False),
        ("key: Em, harmonica", E, True),
        ("ballad in Am", A, True),
        ("lofi, a minor, 82 bpm", A, True),
        ("in the key of a minor", A, True),
        ("A MINOR BLUES IN F MINOR", F, True),
        ("sonata in A minor key", A, True),
        ("E harmonic minor", E, True),
        ("key of E", E, False),
        ("gospel tune in E♭ led by organ", EB, False),
        ("Trompete und Orgel, B-Dur", BB, False),
        ("Es-Dur", EB, False),
        ("C minor, then F major", C, True),
    ],
)
def test_keys_are_read_in_their_usual_spellings(prompt: str, tonic: int, minor: bool) -> None:
    assert read_prompt(prompt).key == Key(tonic, minor)


@pytest.mark.parametrize(
    "prompt",
    [
        "a minor setback", "A minor setback turned into a waltz", "a major anthem", "in a minor key", "in a major way",
        "I am sad", "Am I dreaming", "3 AM vibes", "A MINOR SETBACK", "I'd major in music", "'Em", "EM waves",
        "chords Dm7 - G7 - Cmaj7", "Am F C G", "C major 7 chords", "saxophone in Bb", "minor", "10 cm", "a key moment",
    ],
)  # fmt: skip
def test_words_that_only_look_like_a_key_are_none(prompt: str) -> None:
    assert read_prompt(prompt).key is None


@pytest.mark.parametrize(
    ("prompt", "meter"),
    [
        ("riff in 7/8", "7/8"),
        ("6/8 march", "6/8"),
        ("5 / 4 jazz", "5/4"),
        ("five-four jazz groove", "5/4"),
        ("three four time", "3/4"),
        ("6-8 time", "6/8"),
        ("120 bpm, 4/4", "4/4"),
        ("on 3/4/2020", None),
        ("1/4 notes, 24/7", None),
        ("3/4 of the band", None),
        ("three four-piece bands", None),
        ("four-on-the-floor beat", None),
    ],
)
def test_meters_are_read(prompt: str, meter: str | None) -> None:
    assert read_prompt(prompt).meter == meter


@pytest.mark.parametrize("prompt", ["no drums", "without any drums", "no bass, drums", "drumless lofi"])
def test_drums_can_be_refused(prompt: str) -> None:
    assert read_prompt(prompt).no_drums
    assert not read_prompt("drum loop only, no melody").no_drums


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("808 drums, 131 BPM", "drums, 131 BPM"),
        ("trap with 808 bass, 96 bpm, 320kbps, 44.1kHz", "trap with bass, 96 bpm"),
        ("Upbeat 80s chart pop (TR-909), in 3/4", "Upbeat chart pop (), in 3/4"),
        ("1970s funk, bpm: 104", "funk, bpm: 104"),
        ("afrobeat, 104-112 BPM", "afrobeat, 104-112 BPM"),
        ("808", "808"),
        ("  piano  ", "  piano  "),
    ],
)
def test_a_model_hears_no_numbers_but_tempo_and_meter(prompt: str, words: str) -> None:
    assert read_prompt(prompt).words == words
