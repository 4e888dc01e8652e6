from dataclasses import replace

from hypothesis import strategies as st

from worker.engine.sampler.conductor import FEELS
from worker.engine.sampler.instruments import CRACKLE, INSTRUMENTS, KITS, PIECES, Stream
from worker.engine.sampler.score import MOODS, ROLLED, Chord, Event, Header, Hits, Note, Quality, Score, Section, Stop

headers = st.builds(
    lambda feel, **others: Header(beats=feel[0], unit=feel[1], swing=feel[2], **others),
    st.sampled_from(FEELS),
    bpm=st.integers(40, 200),
    key=st.integers(0, 11),
    minor=st.booleans(),
    mood=st.sampled_from((None, *MOODS)),
)
middles = st.sampled_from([section for section in Section if section is not Section.END])


def events(stream: Stream) -> st.SearchStrategy[Event]:
    if stream in KITS:
        kits = st.sampled_from(KITS[stream])
        pieces = st.frozensets(st.sampled_from(PIECES[stream]), min_size=1)
        off = st.just(Hits(CRACKLE, frozenset())) if stream is Stream.PERCUSSION else st.nothing()
        accents = st.integers(0, 5 if stream is Stream.PERCUSSION else 2)
        rolls = st.builds(Hits, kits, st.just(ROLLED), st.just(1), st.integers(2, 4))
        more = off if stream is Stream.PERCUSSION else rolls
        return st.one_of(st.builds(Hits, kits, pieces, accents), more, st.just(Stop()))
    instruments = st.sampled_from(INSTRUMENTS[stream])
    if stream in (Stream.CHORDS, Stream.PAD):
        chords = st.builds(Chord, instruments, st.integers(0, 11), st.sampled_from(Quality), st.integers(0, 3))
        return st.one_of(chords, st.just(Stop()))
    notes = st.builds(Note, instruments, st.integers(24, 83), st.integers(0, 5))
    return st.one_of(notes, st.just(Stop()))


def with_turns(row: dict[int, Event], steps: int) -> dict[int, Event]:
    """The same with one player in each bar: the first."""
    players: dict[int, str] = {}
    found: dict[int, Event] = {}
    for step, event in sorted(row.items()):
        match event:
            case Stop():
                found[step] = event
            case Hits():
                kit = players.setdefault(step // steps, event.kit)
                found[step] = replace(event, kit=kit, pieces=event.pieces or frozenset(("shaker_or_tambourine",)))
            case _:
                found[step] = replace(event, instrument=players.setdefault(step // steps, event.instrument))
    return found


@st.composite
def scores(draw: st.DrawFn) -> Score:
    header = draw(headers)
    sections: tuple[Section, ...] = tuple(draw(st.lists(middles, min_size=1, max_size=4)))
    steps = len(sections) * header.steps
    rows = {stream: draw(st.dictionaries(st.integers(0, steps - 1), events(stream))) for stream in list(Stream)[1:]}
    rows = {stream: with_turns(row, header.steps) for stream, row in rows.items()}
    if draw(st.booleans()):
        sections = (*sections, Section.END)
        last = draw(st.sampled_from(INSTRUMENTS[Stream.LEAD]))
        rows[Stream.LEAD][steps] = Note(last, 60)
        steps += draw(st.integers(4, header.steps))
    return Score(header, sections, steps, {stream: row for stream, row in rows.items() if row})
