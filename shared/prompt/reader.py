"""Reads what a prompt says of its music. What is ambiguous is left out, and what no model can do is reported."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from shared.prompt.bare_tempos import find_bare_tempo
from shared.prompt.claims import Claim, Kind, without_overlaps
from shared.prompt.decades import decade_of
from shared.prompt.exclusivity import wants_only
from shared.prompt.genres import load_genres
from shared.prompt.harmony import find_progressions
from shared.prompt.keys import WrittenKey, find_keys
from shared.prompt.lengths import find_lengths
from shared.prompt.lexicon import Sense
from shared.prompt.loops import asks_for_loop
from shared.prompt.meters import Meter, find_meters
from shared.prompt.names import find_titles, join_names
from shared.prompt.negation import mark_refusals
from shared.prompt.negative import cut_negative, report_negative
from shared.prompt.phrases import Phrase, cut
from shared.prompt.plain import make_plain
from shared.prompt.reading import Ignored, Reading
from shared.prompt.report import report
from shared.prompt.sections import read_sections
from shared.prompt.summary import mark_wanted, read_genre, read_instruments, read_other_pieces, read_refusals
from shared.prompt.tempo_numbers import Tempos, describe_tempo, find_tempos, tempo_range
from shared.prompt.why import load_reasons

# In characters. Requests have at most 500.
LONGEST = 1000
# From this tempo on a word means fast. A narrower range, in BPM, leaves too little choice.
FAST, NARROWEST = 115, 8
# What is left of the tempos.
NOT_FAST, NOT_SLOW = (76, 112), (100, 130)
# A word with a digit in it.
_NUMBERED = re.compile(r"(?<![^\s,;:()])[^\s,;:()]*\d[^\s,;:()]*")


def read_prompt(prompt: str, negative_prompt: str | None = None) -> Reading:
    """Read a prompt. Of several tempos, keys, meters and lengths the first one counts.

    What follows the first `LONGEST` characters is ignored, so that no prompt takes long.

    Args:
        prompt: what the music should be.
        negative_prompt: what it should not be; where the prompt asks for the same, the prompt counts.
    """
    (start, rest), (negative, negative_rest) = _shortened(prompt), _shortened(negative_prompt or "")
    reading, unread = _read(start, negative), tuple(filter(None, (rest, negative_rest)))
    ignored = (Ignored(text, load_reasons()["length"]) for text in unread)
    return replace(reading, ignored_because=(*reading.ignored_because, *ignored)) if unread else reading


def _shortened(text: str) -> tuple[str, str]:
    """The text up to the last space before `LONGEST`, and the rest."""
    if len(text) <= LONGEST:
        return text, ""
    space = text.rfind(" ", 0, LONGEST)
    end = space if space > 0 else LONGEST
    return text[:end], text[end:].strip()


def _read(prompt: str, negative: str) -> Reading:
    plain = make_plain(prompt)
    text = plain.text
    tempos, chords = find_tempos(text), list(find_progressions(text))
    keys = [key for key in find_keys(text) if not any(chord.start < key.match.end() <= chord.end for chord in chords)]
    meters, like_meters = find_meters(text)
    claims = without_overlaps([*chords, *_claims(text, tempos, keys, meters)])
    phrases = join_names(cut(text, claims), text)
    bare_tempo = find_bare_tempo(phrases) if tempos.first is None else None
    mark_refusals(phrases)
    negatives = cut_negative(plain_negative := make_plain(negative))
    both = [*phrases, *negatives]
    only = wants_only(phrases)
    genre = read_genre(phrases)
    instruments = read_instruments(phrases, genre, only=only)
    sections = read_sections(phrases)
    bars, seconds = _length(claims, "bars"), _length(claims, "seconds")
    loop = asks_for_loop(text, has_length=bars is not None or seconds is not None)
    senses, refused = _senses(phrases)
    moods = tuple(dict.fromkeys(sense.mood for sense in senses if sense.mood is not None))
    mark_wanted(phrases, instruments)
    understood, ignored = report(phrases, plain, genre, loop=loop)
    avoided, kept = report_negative(negatives, plain_negative, genre, {*instruments, *moods})
    parts = tuple(dict.fromkeys(sense.part for sense in senses if sense.part is not None))
    return Reading(
        tempo=tempos.first or bare_tempo or _tempo_of_words(senses, genre) or _tempo_that_is_left(both),
        impossible_tempo=tempos.impossible,
        key=keys[0].key if keys else None,
        mode=_mode(keys, senses, refused),
        meter=meters[0].name if meters else _first(sense.meter for sense in senses),
        bars=int(bars) if bars else None,
        seconds=seconds,
        loop=loop,
        genre=genre,
        instruments=instruments,
        only=only and bool(instruments or parts),
        refused=read_refusals(both, instruments) | (read_other_pieces(phrases) if only else frozenset()),
        moods=moods,
        energy=_energy(senses, refused),
        four_on_the_floor=any(sense.four_on_the_floor for sense in senses),
        feel=_first(sense.feel for sense in senses) or _feel_that_is_left(refused),
        decade=next((decade_of(claim) for claim in claims if claim.kind == "decade"), None),
        parts=parts,
        intro=any(wish.name == "intro" for wish in sections),
        outro=any(wish.name == "outro" for wish in sections),
        sections=sections,
        understood=(*understood, *avoided),
        ignored_because=(*ignored, *kept),
        words=_without_numbers(prompt, text, [*tempos.matches, *like_meters]),
    )


def _claims(text: str, tempos: Tempos, keys: Sequence[WrittenKey], meters: Sequence[Meter]) -> Iterator[Claim]:
    for match in tempos.matches:
        tempo = tempo_range(match)
        kind: Kind = "tempo" if tempo == tempos.first else "other"
        yield Claim(
            match.start(), match.end(), kind, describe_tempo(tempo), why="range" if tempos.first is None else None
        )
    for written in keys:
        start = written.match.start() + len(written.match[0]) - len(written.match[0].lstrip(" ,;"))
        kind = "key" if written.key == keys[0].key else "other"
        yield Claim(start, written.match.end(), kind, written.meaning)
    for meter in meters:
        kind = "meter" if meter.name == meters[0].name else "other"
        yield Claim(meter.match.start(), meter.match.end(meter.match.lastindex or 0), kind, meter.name)
    yield from find_titles(text)
    lengths = list(find_lengths(text))
    for claim in lengths:
        first = next(other for other in lengths if other.kind == claim.kind)
        is_second = claim.kind in ("bars", "seconds") and claim.meaning != first.meaning
        yield claim._replace(kind="other") if is_second else claim


def _senses(phrases: Sequence[Phrase]) -> tuple[list[Sense], list[Sense]]:
    """What is wanted, and what is refused."""
    known = [(phrase, phrase.sense) for phrase in phrases if phrase.sense is not None]
    wanted = [sense for phrase, sense in known if not (phrase.refused or phrase.at_times)]
    return wanted, [sense for phrase, sense in known if phrase.refused]


def _first(values: Iterable[str | None]) -> str | None:
    return next((value for value in values if value is not None), None)


def _length(claims: Sequence[Claim], kind: str) -> float | None:
    return next((claim.value for claim in claims if claim.kind == kind), None)


def _tempo_of_words(senses: Sequence[Sense], genre: str | None) -> tuple[Fraction, Fraction] | None:
    """What the first tempo word means in the genre; one that is also a mood counts only without another."""
    words = sorted((sense for sense in senses if sense.tempo is not None), key=lambda sense: sense.mood is not None)
    if not words or words[0].tempo is None:
        return None
    slow, fast = words[0].tempo
    if genre is not None:
        slow, fast = _of_genre(slow, fast, *load_genres()[genre].bpm)
    return Fraction(slow), Fraction(fast)


def _of_genre(slow: int, fast: int, usual_slow: int, usual_fast: int) -> tuple[int, int]:
    """What a tempo word means in a genre: "fast" drum and bass is no slower than usual."""
    if slow >= FAST and usual_slow > fast:
        return (usual_slow + usual_fast) // 2, usual_fast
    common = max(slow, usual_slow), min(fast, usual_fast)
    return common if common[1] - common[0] >= NARROWEST else (slow, fast)


def _tempo_that_is_left(phrases: Sequence[Phrase]) -> tuple[Fraction, Fraction] | None:
    """What "not too fast" and "not slow" leave."""
    refused = next(
        (sense.tempo for phrase in phrases if phrase.refused and (sense := phrase.sense) and sense.tempo), None
    )
    if refused is None:
        return None
    slow, fast = NOT_FAST if refused[0] > NOT_FAST[1] else NOT_SLOW
    return Fraction(slow), Fraction(fast)


def _mode(keys: Sequence[WrittenKey], senses: Sequence[Sense], refused: Sequence[Sense]) -> str | None:
    if keys:
        return "minor" if keys[0].key.minor else "major"
    # "not in minor" is in major.
    return _first(sense.mode for sense in senses) or _first(
        {"minor": "major", "major": "minor"}.get(sense.mode or "") for sense in refused
    )


def _energy(senses: Sequence[Sense], refused: Sequence[Sense]) -> str | None:
    """The first one that is no mood's, else a mood's, else what "not loud" leaves."""
    stated = _first(sense.energy for sense in sorted(senses, key=lambda sense: sense.mood is not None))
    return stated or _first(
        {"high": "low", "low": "high"}.get(sense.energy or "") for sense in refused if sense.mood is None
    )


def _feel_that_is_left(refused: Sequence[Sense]) -> str | None:
    """What "no swing" and "not half-time" leave."""
    return "straight" if any(sense.feel not in (None, "straight") for sense in refused) else None


def _without_numbers(prompt: str, text: str, kept: Sequence[re.Match[str]]) -> str:
    """The prompt without words that contain digits, except those in `kept`; unchanged if no words would remain.

    Args:
        prompt: as the client sent it.
        text: the prompt with plain characters.
        kept: matches in `text`.
    """

    def drop(match: re.Match[str]) -> str:
        return match[0] if any(match.start() < known.end() and known.start() < match.end() for known in kept) else ""

    rest = _NUMBERED.sub(drop, text)
    if rest == text or not re.search(r"\w", rest):
        return prompt
    return re.sub(r"\s+(?=[\s,;:.)])|(?<=[(])\s+", "", rest).strip(" ,;:")
