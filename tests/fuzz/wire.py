"""Targets: input from HTTP, the WebSocket and NATS."""

from contextlib import suppress

import msgspec

from gateway.decoding import decode_json
from gateway.http.handlers.job_status import _decode_cursor
from gateway.http.middleware import child_of, new_traceparent
from gateway.http.requests import field_error
from gateway.index.estimator import Estimator
from gateway.index.job_index import JobIndex
from gateway.index.worker_registry import WorkerRegistry
from gateway.jobs.drafts import draft_jobs
from gateway.jobs.recipes import make_recipe
from gateway.jobs.views import Views
from gateway.live.event_hub import decode_events
from gateway.live.messages import ErrorMessage, decode_client_message
from gateway.problems import Problem, invalid, problem_response
from gateway.prompts import PromptComponents, build_prompt, parse_prompt
from gateway.schemas import GenerateRequest
from shared.advisories import Terminated, decode_advisory
from shared.audio_chunk import AudioChunk, pack_chunk, unpack_chunk
from shared.errors import TransitionError
from shared.job_id import is_job_id
from shared.lanes import NORMAL
from shared.messages import UNDECODABLE, Event, Job, JobRecord, event_of
from shared.records import Entry, decode_record
from shared.text import is_visible
from shared.transition_checks import check
from tests.fuzz.target import Target, finish
from tests.unit.gateway.samples import completed, message, outputs, record, worker
from worker import claim

encode = msgspec.json.encode


def prompt(data: bytes) -> None:
    """Six texts, whatever is in them, as a form sends them."""
    texts = [text[:100] for text in data.decode(errors="replace").split("\0")]
    genre, tempo, mood, style, *instruments = [*texts, "", "", "", ""][: max(len(texts), 4)]
    components = PromptComponents(
        genre=genre, tempo=tempo, mood=mood, artist_style=style, instruments=tuple(instruments[:16])
    )
    try:
        built = build_prompt(components)
    except ValueError:
        assert not any(is_visible(text.replace(",", "")) for text in texts[:20])
        return
    assert built.structured_prompt == ", ".join(built.components.values())
    assert "  " not in built.structured_prompt
    assert 0 < len(built.structured_prompt) < 2500
    _accept(GenerateRequest(components=components))


def body(data: bytes) -> None:
    """The body of a request: a job is accepted that survives the wire, or the answer tells what is wrong."""
    try:
        request = decode_json(data, GenerateRequest)
    except msgspec.ValidationError as error:
        invalid(field_error(str(error)))
    except msgspec.DecodeError:
        pass
    else:
        _accept(request)


def _accept(request: GenerateRequest) -> None:
    try:
        recipe = make_recipe(request, default_model="starter", models={"starter", "small"}, max_duration=120.0)
    except Problem as problem:
        problem_response(problem, "")
        return
    assert 0 < len(recipe.prompt) <= 500
    for draft in draft_jobs(recipe, request, None, new_traceparent(), None, NORMAL, request.variations or 1):
        assert decode_record(encode(draft)) == draft
    components = parse_prompt(recipe.prompt).components
    assert msgspec.json.decode(encode(components), type=PromptComponents) == components


def frame(data: bytes) -> None:
    """A text frame: understood, or explained in a frame that is one itself."""
    try:
        decode_client_message(data)
    except msgspec.DecodeError as error:
        problem = field_error(str(error))
        assert msgspec.json.decode(encode(ErrorMessage(problem.message)))["detail"]


def stored(data: bytes) -> None:
    """A record in the bucket: everything that is made of one can be made of this, and it can be forgotten."""
    try:
        found = decode_record(data)
    except UNDECODABLE:
        return
    index = JobIndex(Estimator())
    views = Views(index, WorkerRegistry())
    index.apply(Entry(record(2), 1))
    index.apply(Entry(found, 2))
    for each in (found, record(2)):
        encode(views.of(each))
        encode(event_of(each, 2))
    for before in (None, record(1), completed(1)):
        with suppress(TransitionError):
            check(before, found)
    index.discard(found.job_id)
    assert index.record(found.job_id) is None


def event(data: bytes) -> None:
    """A message on a subject of events."""
    for found, text in decode_events([data]):
        assert isinstance(found, Event)
        assert text is data


def job(data: bytes) -> None:
    """A message in the queue."""
    with suppress(*UNDECODABLE):
        assert isinstance(claim._decode(data), Job)


def advisory(data: bytes) -> None:
    """An advisory of JetStream about a message that will not be redelivered."""
    with suppress(*UNDECODABLE):
        found = decode_advisory(data)
        assert 0 < len(found.why) <= 300
        if isinstance(found, Terminated) and found.refused:
            assert is_job_id(found.refused[0])


def announcement(data: bytes) -> None:
    """A worker that announces itself, and what is then said of it."""
    workers = WorkerRegistry()
    finish(workers.on_message(message("music.workers.w1", data)))
    encode(workers.live())
    encode(Views(JobIndex(Estimator()), workers).of(record(1)))


def chunk(data: bytes) -> None:
    """A piece of audio."""
    with suppress(ValueError):
        header, pcm = unpack_chunk(data)
        again, same = unpack_chunk(pack_chunk(header, bytes(pcm)))
        assert (again, bytes(same)) == (header, bytes(pcm))


def words(data: bytes) -> None:
    """A trace's header, and a cursor."""
    text = data.decode(errors="surrogateescape")
    assert len(child_of(text)) == 55
    with suppress(Problem):
        assert _decode_cursor(text).job_id in text


COMPONENTS = '{"genre": "jazz", "tempo": "120 bpm", "instruments": ["piano", "bass"], "custom_text": "live"}'
PIECE = pack_chunk(
    AudioChunk(job_id="gen_000000000001", seq=0, attempt=1, first_sample=0, frames=2, sample_rate=32_000, channels=1),
    bytes(8),
)
WHOLE_RECORD: JobRecord = completed(1, outputs=outputs(1), attempts=1, claims=1)
RECIPE = '"recipe": {"model": "starter", "prompt": "a tone", "duration": 1.0}'
FRAMES = (
    b'{"type": "subscribe", "job_id": "gen_000000000001", "after_seq": 7, "audio": true}',
    b'{"type": "unsubscribe", "job_id": "gen_000000000001"}',
    b'{"type": "ping"}',
)
ADVISORIES = (
    b'{"type": "io.nats.jetstream.advisory.v1.max_deliver", "stream": "MUSIC_JOBS", "stream_seq": 7, "deliveries": 1}',
    b'{"type": "io.nats.jetstream.advisory.v1.terminated", "stream_seq": 7, "deliveries": 1, "consumer_seq": 2,'
    b' "reason": "gen_000000000001: not a job"}',
)

TARGETS = {
    "prompt": Target(
        prompt, [b"jazz\x00120 bpm\x00calm\x00like Monk\x00piano\x00bass", b"\x00at 99.5\x00", b", ,\x00\xc2\xa0"]
    ),
    "body": Target(
        body,
        [
            b'{"prompt": "a tone", "duration": 2.5, "temperature": 1.0, "top_k": 250, "top_p": 0.5, "cfg_coef": 3,'
            b' "seed": 7, "model": "starter", "sample_format": "int24", "outputs": ["midi"], "cache": true}',
            f'{{"components": {COMPONENTS}}}'.encode(),
        ],
    ),
    "frame": Target(frame, FRAMES),
    "record": Target(stored, [encode(record(1)), encode(WHOLE_RECORD)]),
    "event": Target(event, [encode(event_of(WHOLE_RECORD, 7))]),
    "job": Target(job, [f'{{"job_id": "gen_1", {RECIPE}, "created_at": "2026-01-01T12:00:00Z"}}'.encode()]),
    "advisory": Target(advisory, ADVISORIES),
    "announcement": Target(announcement, [encode(worker())]),
    "chunk": Target(chunk, [PIECE]),
    "words": Target(words, [new_traceparent().encode(), b"1764547200000-gen_000000000001"]),
}
