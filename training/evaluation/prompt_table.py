"""Tells how well takes do what prompts wish for: a table with a column for each half of the prompts.

python -m training.evaluate --model FOLDER --prompts training/evaluation/prompts.json
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import get_args

from training.evaluation.listening_checks import hears_tempo, listen
from training.evaluation.midi_score import MidiScore
from training.evaluation.prompt_takes import PromptPlayer, PromptTake
from training.evaluation.wish_checks import check_wishes
from training.evaluation.wishes import Half, load_cases

HALVES: tuple[Half, ...] = get_args(Half)
# The least share for each row, and the range or the limit of the others.
TARGETS = {
    "all wishes": 0.9, "tempo by number": 1.0, "tempo by word": 0.9, "refused": 0.97, "only": 0.95, "meter": 0.95,
    "key stated": 0.97, "key by notes": 0.85, "heard": 0.95, "band has a lead": 0.85, "band has a bass": 0.97,
    "band has drums": 0.97, "no silent second": 1.0, "every content word accounted for": 1.0,
    "true peak at most -1 dBTP": 1.0,
}  # fmt: skip
_WORD = re.compile(r"[^\W\d_]{3,}|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]+")
# Words without music in them: those that join and order others, that ask for music, and that only name it, by language.
# They are listed here and not taken from the reader, so that it cannot excuse itself.
FUNCTION_WORDS = frozenset(
    _WORD.findall(
        """
        about above across after again all along also and any are around because been before behind being below between
        both but can could down during each ever every exactly few for from get give got has have her here his how into
        instead its itself just keep keeps less let lets like little lot lots made make makes making many may might more
        most much must need needs never not now off often once one only onto other our out over per playing plays play
        played please precisely quite rather really should since some something somewhere such take takes taking than
        that the their them then there these they this those three through too two under underneath until very want was
        way were what when where which while who will with within without would write written yet you your
        called counts feel featuring first idea key led minute moment number pace piece proceeds bar bars sort kind
        bpm genre mood moods instruments atmosphere tone tones create created creating against slightly
        style character time track tune song songs music musical sound sounds sounding
        ein eine einen mit und der die das von zum für musik stück con wie para por las los una del que música pieza
        com uma dos das les des une pour avec sur dans qui musique
        """
    )
)
# Particles and the word for music in scripts without spaces, where a word is what is left between those that are told.
PARTICLES = frozenset("のれるとやをがはにでもなよう曲的首一子和와과의은는을를이가에서고한")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
# Shorter words are told only as words: the "art" of "heart" is not.
_SHORTEST_PART = 4
# The least level of the true peak, and the widths and the brightness that a mix should have, in decibels.
HIGHEST_PEAK, WIDTHS, BRIGHT = -1.0, (-12.0, -6.0), -15.0

Figures = dict[str, list[float]]


def evaluate_prompts(model: str, file: Path, takes: int = 1, slots: int = 8, report: Path | None = None) -> None:
    """Play all prompts of a file and print the table; `report` gets what was missed, as JSON."""
    cases, player = load_cases(file), PromptPlayer(model, slots)
    figures: dict[Half, Figures] = {half: defaultdict(list) for half in HALVES}
    missed = []
    try:
        for take in player.play(cases * takes):
            found = dict(measure(take))
            missed.append({"prompt": take.case.prompt, "half": take.case.half, "kind": take.case.kind, "found": found})
            for name, value in found.items():
                figures[take.case.half][name.split(":")[0]].append(value)
    finally:
        player.close()
    print_halves(figures)
    if report:
        report.write_text(json.dumps(missed, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def measure(take: PromptTake) -> Iterator[tuple[str, float]]:
    """The figures of a take by row: 1 where a wish is met or a condition holds, 0 where not, or decibels."""
    score, heard = MidiScore.read(take.midi), listen(take.audio, take.rate)
    seconds, wish = len(take.audio) / take.rate, take.case.wish
    reported = (*(take.music.ignored or ()), *take.warnings)
    for name, met in check_wishes(wish, score, seconds, reported).items():
        yield name, met
        yield f"all wishes: {name}", met
        yield f"kind {take.case.kind}: {name}", met
    if wish.tempo is not None:
        yield "tempo heard in the audio", hears_tempo(take.audio, take.rate, wish.tempo)
    yield "no silent second", not heard.silent_seconds
    yield "every content word accounted for", not list(unaccounted(take))
    yield "true peak at most -1 dBTP", heard.true_peak <= HIGHEST_PEAK + 0.05
    streams = {each.stream for each in take.music.instruments}
    # A bass alone is in the middle, as on records.
    if streams - {"bass"}:
        yield "side/mid, dB", heard.side_to_mid
        yield "side/mid between -12 and -6 dB", WIDTHS[0] <= heard.side_to_mid <= WIDTHS[1]
    if take.case.band:
        yield "8-16 kHz to pink, dB, bands", heard.highs_to_pink
        yield "8-16 kHz within 15 dB of pink, bands", heard.highs_to_pink >= BRIGHT
        yield "band has a lead", "lead" in streams
        yield "band has a bass", score.has_bass
        yield "band has drums", bool(score.kits)


def unaccounted(take: PromptTake) -> Iterator[str]:
    """The content words of a prompt that the model neither understood nor reported."""
    told = (*(each.words for each in take.music.understood or ()), *(take.music.ignored or ()))
    return untold(take.case.prompt, told)


def untold(prompt: str, told: Iterable[str]) -> Iterator[str]:
    """The content words of a prompt that are not among those that are told.

    Of a compound or a word without spaces around it, a part may be told, and the rest must be a function word:
    "Klavier" of "Klaviermusik".
    """
    rest = prompt.lower()
    for words in sorted({words.lower() for words in told if words}, key=len, reverse=True):
        is_part = len(words) >= _SHORTEST_PART or _UNSPACED.search(words)
        rest = re.sub(re.escape(words) if is_part else rf"(?<!\w){re.escape(words)}(?!\w)", " ", rest)
    for word in _WORD.findall(rest):
        if word not in FUNCTION_WORDS and not PARTICLES.issuperset(word):
            yield word


def print_halves(figures: dict[Half, Figures]) -> None:
    """Print the figures as a table."""
    names = list(dict.fromkeys(name for half in HALVES for name in _ordered(figures[half])))
    print(f"| {'':<38} | {' | '.join(f'{half:>6} |  n' for half in HALVES)} | target |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in names:
        cells = [f"{_shown(name, figures[half][name]):>6} | {len(figures[half][name]):>3}" for half in HALVES]
        target = f">= {TARGETS[name]:.0%}" if name in TARGETS else ""
        print(f"| {name:<38} | {' | '.join(cells)} | {target} |")


def _ordered(figures: Iterable[str]) -> Sequence[str]:
    """The rows with a target first, the kinds last."""
    places = {name: place for place, name in enumerate(TARGETS)}
    return sorted(figures, key=lambda name: (places.get(name, len(places)), name.startswith("kind "), name))


def _shown(name: str, values: Sequence[float]) -> str:
    if not values:
        return ""
    return f"{median(values):.1f}" if ", dB" in name else f"{sum(values) / len(values):.0%}"
