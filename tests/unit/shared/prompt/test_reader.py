from fractions import Fraction

import pytest

from gateway.prompts import PromptComponents, build_prompt
from shared.music import Key
from shared.prompt.reader import read_prompt
from worker.engine.sampler.count_in import make_count_in
from worker.engine.sampler.wish import Wish

C, CS, D, EB, E, F, FS, AB, A, BB = 0, 1, 2, 3, 4, 5, 6, 8, 9, 10


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
        ("120.5 bpm", 120.5),
        ("120½ bpm", 120.5),
        ("120² bpm", 120),
        ("tempo 120", 120),
        ("tempo 120 piano", 120),
        ("tempo of 120", 120),
        ("set the tempo to 68", 68),
        ("tempo approx. 120", 120),
        ("BPM - 128", 128),
        ("tempo=128", 128),
        ("tempo is about 128", 128),
        ("140 tempo", 140),
        ("a 140 tempo with 808 drums", 140),
        ("90/180bpm", 90),
        ("90 / 180 bpm", 90),
        ("120\u2011bpm", 120),
        ("120\u200bbpm", 120),
        ("120\u00ad bpm", 120),
        ("BPM120", 120),
        ("(128) bpm", 128),
        ("bpm (128)", 128),
        ("bpm: (128)", 128),
        ("128ish bpm", 128),
        ("128-ish bpm", 128),
        ("mid-tempo 808 drums, 96 bpm", 96),
        ("99999 bpm or 120 bpm", 120),
    ],
)
def test_the_number_that_stands_with_bpm_is_the_tempo(prompt: str, bpm: float) -> None:
    assert read_prompt(prompt).tempo == (Fraction(bpm), Fraction(bpm))


@pytest.mark.parametrize(("prompt", "slow", "fast"), [("bpm 140-150", 140, 150), ("tempo 120-130", 120, 130)])
def test_a_range_may_follow_the_word(prompt: str, slow: int, fast: int) -> None:
    assert read_prompt(prompt).tempo == (Fraction(slow), Fraction(fast))


def test_a_tempo_has_any_number_of_decimals() -> None:
    assert read_prompt("at 120.0001 BPM").tempo == (Fraction("120.0001"), Fraction("120.0001"))
    slow, fast = read_prompt(f"at 120.{'3' * 480} BPM").tempo or (0, 0)
    assert 120 < slow == fast < 121


@pytest.mark.parametrize(
    "prompt",
    [
        "104-112 BPM", "104 to 112 bpm", "between 104 and 112 bpm", "104 – 112bpm", "bpm 104-112", "tempo 104-112",
        "BPM: 104–112", "tempo range 104-112", "bpm 112-104", "tempo: 104 to 112", "104\u2011112 bpm",
    ],
)  # fmt: skip
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
        "tempo 70's funk",
        "tempo: 24 bit",
        "tempo 88 keys",
        "808 tempo",
        "tempo 808",
        "80 tempo changes",
    ],
)
def test_other_numbers_are_no_tempo(prompt: str) -> None:
    assert read_prompt(prompt).tempo is None


@pytest.mark.parametrize(
    "prompt",
    [
        "mid-tempo 808 drums", "mid tempo 80 drums", "up-tempo 808 drums", "up\u2011tempo 80 drums", "uptempo 80 drums",
        "up-tempo 70's funk", "up-tempo 2 step garage", "mid-tempo 8 bit chiptune", "up-tempo 12 string guitar",
    ],
)  # fmt: skip
def test_a_number_behind_a_tempo_word_is_not_its_tempo(prompt: str) -> None:
    (slow, fast), word = read_prompt(prompt).tempo or (0, 0), prompt[:3].rstrip("-")
    assert (slow, fast) == {"mid": (95, 115), "up": (115, 130), "upt": (115, 130), "up\u2011": (115, 130)}[word]


@pytest.mark.parametrize(
    ("prompt", "number"),
    [
        ("99999 bpm", "99999"),
        ("0 bpm", "0"),
        ("tempo: 0", "0"),
        ("bpm 1000", "1000"),
        ("1,200 bpm", "1,200"),
        ("120 bpm, 0 bpm", None),
    ],
)
def test_an_impossible_tempo_gives_a_warning(prompt: str, number: str | None) -> None:
    reading = read_prompt(f"piano, {prompt}")
    assert reading.impossible_tempo == number
    sentence = f"{number} BPM is no tempo that this model can play: it plays 40 to 240 BPM."
    assert make_count_in(Wish(reading)).warnings == ((sentence,) if number else ())


def test_a_fractional_tempo_is_exact_without_a_warning() -> None:
    for number in ("92.5", "120.0001", "120.00000000001"):
        count_in = make_count_in(Wish(read_prompt(f"at {number} BPM")))
        assert (count_in.tempo, count_in.warnings) == (Fraction(number), ())


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
        ("in C# moll", CS, True),
        ("in C# mineur", CS, True),
        ("C minor, then F major", C, True),
        ("piano in F# Minor, 120 bpm", FS, True),
        ("F# MINOR", FS, True),
        ("in F# MINOR", FS, True),
        ("F# harmonic minor", FS, True),
        ("in F# harmonic minor", FS, True),
        ("in F# minor 90 bpm", FS, True),
        ("in E minor 7/8", E, True),
        ("guitar in E♭ Minor", EB, True),
        ("piano in C#-minor", CS, True),
        ("piano in C# - minor", CS, True),
        ("in C# (minor)", CS, True),
        ("in C#/Db minor", CS, True),
        ("in C# / D♭ major", CS, False),
        ("in C#/Db", CS, False),
        ("C sharp/D flat minor", CS, True),
        ("D/F# minor", FS, True),
        ("strings in the key of B♭-minor", BB, True),
        ("key of C-minor", C, True),
        ("key of D natural minor", D, True),
        ("key of E flat minor", EB, True),
        ("key of E-flat", EB, False),
        ("B\u2011flat major", BB, False),
        ("E flat", EB, False),
        ("guitar in E flat", EB, False),
        ("guitar in e flat, slow", EB, False),
        ("in A flat", AB, False),
        ("in the key of A", A, False),
        ("the key is D", D, False),
        ("key: Ab", AB, False),
    ],
)
def test_keys_are_read_in_their_usual_spellings(prompt: str, tonic: int, minor: bool) -> None:
    assert read_prompt(prompt).key == Key(tonic, minor)


@pytest.mark.parametrize(
    "prompt",
    [
        "a minor setback", "A minor setback turned into a waltz", "a major anthem", "in a minor key", "in a major way",
        "I am sad", "Am I dreaming", "3 AM vibes", "A MINOR SETBACK", "I'd major in music", "'Em", "EM waves",
        "chords Dm7 - G7 - Cmaj7", "Am F C G", "C major 7 chords", "C major 7.", "saxophone in Bb", "minor",
        "10 cm", "a key moment",
        "a dorian melody", "in a dorian mood", "the Aeolian harp",
        "low-key G-funk at 95 bpm", "low key G-funk", "low-key e-piano", "in the key of a love song",
        "in the Key of A Love Song", "the key is a strong beat", "off-key a cappella", "the key e-piano",
        "in the key of a flat earth", "in a flat tone", "in A flat tone", "in C sharp-edged style",
    ],
)  # fmt: skip
def test_words_that_only_look_like_a_key_are_none(prompt: str) -> None:
    assert read_prompt(prompt).key is None


@pytest.mark.parametrize(
    ("prompt", "tonic", "minor", "mode"),
    [
        ("in Eb Dorian", EB, True, "Eb Dorian"),
        ("key of E phrygian", E, True, "E Phrygian"),
        ("E phrygian dominant organ", E, True, "E Phrygian dominant"),
        ("in F# (Lydian)", FS, False, "F# Lydian"),
        ("harp, A locrian", A, True, "A Locrian"),
        ("in a aeolian, harp", A, True, "A Aeolian"),
        ("mixolydian mode in B flat", BB, False, "B-flat Mixolydian"),
        ("C ionian", C, False, "C Ionian"),
        ("Orgel, D-dorisch", D, True, "D Dorisch"),
        ("órgano en re frigio", D, True, "D Frigio"),
    ],
)
def test_a_mode_is_told_as_the_nearest_key(prompt: str, tonic: int, minor: bool, mode: str) -> None:
    reading = read_prompt(prompt)
    key = Key(tonic, minor)
    assert (reading.key, reading.mode) == (key, "minor" if minor else "major")
    assert f"{key.name}, the nearest to {mode}" in [each.meaning for each in reading.understood]


def test_a_tonic_at_the_beginning_counts_before_music() -> None:
    assert read_prompt("A minor tango for organ").key == Key(A, True)
    assert read_prompt("A minor mishap for organ").key is None


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
        ("11/16", "11/16"),
        ("19/8", "19/8"),
        ("7/8th time", "7/8"),
        ("7 8 time", "7/8"),
        ("meter 7/16", "7/16"),
        ("time signature: 5:4", "5/4"),
        ("5:4 meter", "5/4"),
        ("1/4 time", "1/4"),
        ("1/2 time feel", None),
        ("½ time", None),
        ("3/4 through the song", None),
        ("5/8-inch tape", None),
        ("16:9", None),
        ("24/16 bit", None),
        ("60/90 bpm", None),
        ("on 3/4/2020", None),
        ("1/4 notes, 24/7", None),
        ("3/4 of the band", None),
        ("three four-piece bands", None),
        ("four-on-the-floor beat", None),
    ],
)
def test_meters_are_read(prompt: str, meter: str | None) -> None:
    assert read_prompt(prompt).meter == meter


@pytest.mark.parametrize("prompt", ["11/16", "19/8", "7/8th time", "meter 7/16", "5:4 meter", "1/4 time", "7 8 time"])
def test_a_meter_that_the_model_lacks_is_a_warning(prompt: str) -> None:
    reading = read_prompt(f"piano, {prompt}")
    assert make_count_in(Wish(reading)).warnings == (
        f"This model cannot play in {reading.meter}: the music is in 4/4.",
    )


@pytest.mark.parametrize(
    "prompt",
    [
        "no drums", "without any drums", "no bass, drums", "drumless lofi", "no drum", "no drum kit", "no beat",
        "no drum, no bass", "no drums at all", "no percussion", "no percussion performed",
        "no drum track, 90 bpm", "No drums in the mix",
    ],
)  # fmt: skip
def test_drums_can_be_refused(prompt: str) -> None:
    assert "drums" in read_prompt(prompt).refused


@pytest.mark.parametrize(
    "prompt",
    [
        "drum loop only, no melody", "no drum machine, live drums", "no drum solo", "no drum fills", "no beat drops",
        "no drum-machine", "no drums machine", "no drum & bass", "no drum and bass", "no drum'n'bass",
        "no percussion solo", "no drums in the intro", "no drums until the chorus", "no beats per minute",
    ],
)  # fmt: skip
def test_a_part_of_the_drums_can_be_refused_without_all_of_them(prompt: str) -> None:
    assert "drums" not in read_prompt(prompt).refused


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("808 drums, 131 BPM", "drums, 131 BPM"),
        ("trap with 808 bass, 96 bpm, 320kbps, 44.1kHz", "trap with bass, 96 bpm"),
        ("Upbeat 80s chart pop (TR-909), in 3/4", "Upbeat chart pop (), in 3/4"),
        ("1970s funk, bpm: 104", "funk, bpm: 104"),
        ("afrobeat, 104-112 BPM", "afrobeat, 104-112 BPM"),
        ("mid-tempo 808 drums", "mid-tempo drums"),
        ("808 tempo, 140 tempo", "tempo, 140 tempo"),
        ("808", "808"),
        ("  piano  ", "  piano  "),
    ],
)
def test_only_tempo_and_meter_numbers_reach_the_model(prompt: str, words: str) -> None:
    assert read_prompt(prompt).words == words


def test_the_end_of_an_endless_prompt_is_ignored() -> None:
    reading = read_prompt("house " * 2000)
    assert reading.genre == "house"
    assert reading.ignored[-1].split() == ["house"] * (2000 - 1000 // 6)
