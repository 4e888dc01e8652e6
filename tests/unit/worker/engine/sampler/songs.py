"""Pieces written by hand."""

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
        for step in range(header.steps):
            for stream, event in _step(step, band, *CHORDS[bar % 4]).items():
                events[stream][bar * header.steps + step] = event
    sections = (Section.VERSE,) * bars + (Section.END,)
    return Score(header, sections, (bars + 1) * header.steps, events)


def _step(step: int, band: tuple[str, ...], root: int, quality: Quality) -> dict[Stream, Event]:
    bass, chords, pad, arpeggio, lead, kit, percussion = band
    third = 3 if quality is Quality.MINOR else 4
    low = root - 12 if root > 7 else root
    melody = {0: 7, 6: 12, 8: 12 + third, 11: 7}
    events: dict[Stream, Event] = {}
    if step == 0:
        events[Stream.PAD] = Chord(pad, root, quality, 0)
    if step % 4 == 0:
        events[Stream.BASS] = Note(bass, 36 + low)
    if step % 8 == 0:
        events[Stream.CHORDS] = Chord(chords, root, quality, int(step == 0))
    if step % 2 == 0:
        events[Stream.ARPEGGIO] = Note(arpeggio, 60 + low + (0, 7, 12, 12 + third)[step // 2 % 4] - 12)
        backbeat = {0: ["kick"], 4: ["snare"], 8: ["kick"], 12: ["snare"]}
        events[Stream.DRUMS] = Hits(kit, frozenset({"closed_hat", *backbeat.get(step, [])}))
    if step % 4 == 2:
        events[Stream.PERCUSSION] = Hits(percussion, frozenset({"shaker_or_tambourine"}), 0)
    if step in melody:
        events[Stream.LEAD] = Note(lead, 60 + low + melody[step], 2)
    if step == 10:
        events[Stream.LEAD] = Stop()
    return events
