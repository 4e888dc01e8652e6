"""Pieces written by hand."""

from collections.abc import Mapping

from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import Chord, Event, Header, Hits, Note, Quality, Score, Section, Stop

CHORDS = ((9, Quality.MINOR), (5, Quality.MAJOR), (0, Quality.MAJOR), (7, Quality.MAJOR))
POP = ("bass guitar", "acoustic guitar", "strings", "piano", "violin", "acoustic", "percussion")
ELECTRO = ("synth bass", "synthesizer", "pads", "synthesizer", "synthesizer", "electronic", "electronic")
JAZZ = ("double bass", "piano", "organ", "electric piano", "saxophone", "brushes", "congas")
METAL = ("bass guitar", "distorted guitar", "choir", "electric guitar", "distorted guitar", "hard", "cinematic")


def song(header: Header, band: tuple[str, ...] = POP, bars: int = 8) -> Score:
    """Everybody plays: four chords round and round, then the end."""
    events: dict[Stream, dict[int, Event]] = {stream: {} for stream in list(Stream)[1:]}
    for bar in range(bars):
        for stream, row in _bar(header, band, *CHORDS[bar % 4]).items():
            events[stream] |= {bar * header.steps + step: event for step, event in row.items()}
    sections = (Section.VERSE,) * bars + (Section.END,)
    return Score(header, sections, (bars + 1) * header.steps, events)


def _bar(header: Header, band: tuple[str, ...], root: int, quality: Quality) -> Mapping[Stream, dict[int, Event]]:
    third = 3 if quality is Quality.MINOR else 4
    figure = [root, root + 7, root + 12, root + 12 + third]
    melody = {0: 7, 6: 12, 8: 12 + third, 11: 7}
    backbeat = {step: "snare" if step % 8 == 4 else "kick" for step in range(0, header.steps, 4)}
    drums: dict[int, Event] = {
        step: Hits(band[5], frozenset({"closed_hat", *([backbeat[step]] if step in backbeat else [])}), 1)
        for step in range(0, header.steps, 2)
    }
    return {
        Stream.BASS: {
            step: Note(band[0], 36 + root - (12 if root > 7 else 0), 1) for step in range(0, header.steps, 4)
        },
        Stream.CHORDS: {0: Chord(band[1], root, quality, 1), 8: Chord(band[1], root, quality, 0)},
        Stream.PAD: {0: Chord(band[2], root, quality, 0)},
        Stream.ARPEGGIO: {step: Note(band[3], 48 + figure[step % 4], 1) for step in range(0, header.steps, 2)},
        Stream.LEAD: {step: Note(band[4], 60 + root % 12 - 5 + above - 5, 2) for step, above in melody.items()}
        | {10: Stop()},
        Stream.DRUMS: drums,
        Stream.PERCUSSION: {
            step: Hits(band[6], frozenset({"shaker_or_tambourine"}), 0) for step in range(2, header.steps, 4)
        },
    }
