"""Locust users for the whole API. README.md beside this file says how to run them.

Every answer is checked, also for its content; what the service refuses on purpose (4xx) counts as right
where it was provoked, and 5xx never does.
"""

import json
import random
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import websocket  # type: ignore[import-not-found]
from locust import HttpUser, between, constant_pacing
from locust.exception import RescheduleTask

STATUS_FIELDS = {"job_id", "status", "progress", "message", "created_at"}
ENDED = {"completed", "failed", "cancelled"}
EVENTS_TIMEOUT = 10.0

# A bar of four quarter notes of a piano at 120 BPM: a header, then one track with its events.
_NOTES = b"".join(bytes((0, 0x90, pitch, 96, 96, 0x80, pitch, 0)) for pitch in (60, 64, 67, 72))
_TRACK = _NOTES + bytes((0, 0xFF, 0x2F, 0))
MIDI = b"MThd\0\0\0\6\0\0\0\1\0\x60" + b"MTrk" + len(_TRACK).to_bytes(4) + _TRACK

# What careless programs send: method, path, text of the body, and how many times over. Each must be refused.
BAD_REQUESTS: list[tuple[str, str, str, int]] = json.loads(Path(__file__).with_name("bad_requests.json").read_text())


class ApiUser(HttpUser):  # type: ignore[misc]
    """What the users share: a request whose answer is checked."""

    abstract = True

    def call(self, method: str, path: str, allowed: tuple[int, ...] = (200,), **options: Any) -> Any:
        """The JSON of the answer, or its bytes if it is something else. A status that is not allowed ends the task."""
        with self.client.request(method, path, catch_response=True, **options) as response:
            if response.status_code in allowed:
                response.success()
            else:
                response.failure(f"{response.status_code} {response.text[:200]}")
        if response.status_code not in allowed:
            raise RescheduleTask
        return response.json() if "json" in response.headers["Content-Type"] else response.content

    def generate(self, duration: float) -> str:
        """Submit a job."""
        body = {"prompt": random.choice(("slow piano", "fast drums", "warm strings")), "duration": duration}
        return str(self.call("POST", "/api/v1/generate", json=body)["job_id"])

    def expect(self, name: str, condition: bool, found: object) -> None:
        """Count a check of content; `found` is shown if it fails."""
        problem = None if condition else AssertionError(f"{name}: {found!r:.300}")
        self.record("CHECK", name, 0.0, problem)

    def record(self, kind: str, name: str, seconds: float, problem: Exception | None) -> None:
        """Add a line of our own to Locust's statistics."""
        self.environment.events.request.fire(
            request_type=kind, name=name, response_time=seconds * 1000, response_length=0, exception=problem, context={}
        )


class Daw(ApiUser):
    """The plug-in in the field: it polls every job that it ever started every two seconds, and never stops."""

    weight = 10
    wait_time = constant_pacing(2)

    def on_start(self) -> None:
        self._states: dict[str, str] = {}

    def tick(self) -> None:
        if random.random() < 0.25:
            self._states[self.generate(random.choice((0.5, 1.0, 2.0)))] = "queued"
        for job_id, before in list(self._states.items()):
            status = self._poll(job_id)
            self.expect("what ended stays as it is", before not in ENDED or before == status, (before, status))
            self._states[job_id] = status
            if status == "completed" != before:
                self._download(job_id)

    def _poll(self, job_id: str) -> str:
        view = self.call("GET", f"/api/v1/status/{job_id}", name="/api/v1/status/{job_id}")
        self.expect("status has what decoders need", all(view.get(field) is not None for field in STATUS_FIELDS), view)
        return str(view["status"])

    def _download(self, job_id: str) -> None:
        """Redirected to storage, or through the gateway."""
        query = random.choice(("", "?proxy=1"))
        audio = self.call("GET", f"/api/v1/download/{job_id}{query}", name=f"/api/v1/download/{{job_id}}{query}")
        self.expect("download is a WAV file", audio.startswith(b"RIFF"), audio)

    tasks: ClassVar[dict[Callable[..., None], int]] = {tick: 1}


class Visitor(ApiUser):
    """A person on the page: the prompt builder, then a job followed over the WebSocket."""

    weight = 5
    wait_time = between(0.5, 2)

    def page(self) -> None:
        self.call("GET", "/")
        service = self.call("GET", "/", headers={"Accept": "application/json"})
        self.expect("service names its endpoints", bool(service["endpoints"]), service)

    def words(self) -> None:
        vocabulary = self.call("GET", "/api/v1/prompt/vocabulary")
        body = {"genre": "jazz", "tempo": "120 BPM", "mood": random.choice(vocabulary["moods"])}
        built = self.call("POST", "/api/v1/prompt/build", json=body)
        self.expect("built prompt names the tempo", "at 120 BPM" in built["structured_prompt"], built)

    def surprise(self) -> None:
        query = {"complexity": random.choice(("simple", "medium", "complex"))}
        built = self.call("GET", "/api/v1/prompt/random", params=query, name="/api/v1/prompt/random")
        self.expect("random prompt has words", bool(built["structured_prompt"]), built)

    def follow(self) -> None:
        """Read a new job's events until it ends or ten seconds are over."""
        job_id, problem, ended = self.generate(0.5), None, False
        started = time.perf_counter()
        try:
            ended = self._read_events(job_id)
        except (websocket.WebSocketException, OSError, AssertionError) as error:
            problem = error
        self.record("WS", f"/ws, {'ended' if ended else 'still running'}", time.perf_counter() - started, problem)

    def _read_events(self, job_id: str) -> bool:
        url = f"{self.host.replace('http', 'ws', 1)}/ws?job_id={job_id}"
        deadline, last = time.monotonic() + EVENTS_TIMEOUT, 0
        with closing(websocket.create_connection(url, timeout=EVENTS_TIMEOUT)) as socket:
            socket.send('{"type": "ping"}')
            while (left := deadline - time.monotonic()) > 0:
                socket.settimeout(left)
                try:
                    event = json.loads(socket.recv())
                except websocket.WebSocketTimeoutException:
                    return False
                if event["type"] == "pong":
                    continue
                assert event["job_id"] == job_id, event
                assert event["seq"] > last, event
                last = event["seq"]
                if event["type"] in ENDED:
                    return True
        return False

    tasks: ClassVar[dict[Callable[..., None], int]] = {page: 1, words: 2, surprise: 2, follow: 3}


class Producer(ApiUser):
    """Works on takes: follows one as server-sent events, varies it, and plays a MIDI file."""

    weight = 2
    wait_time = between(1, 3)

    def vary(self) -> None:
        """Make a child of a new take, and collect all that a DAW imports."""
        parent = self.generate(2.0)
        if self._last_event(parent) != "completed":
            return
        child = str(self._edit(parent, "vary", {"strength": 0.3})["job_id"])
        lineage = self.call("GET", f"/api/v1/jobs/{child}/lineage", name="/api/v1/jobs/{job_id}/lineage")
        related = {job["job_id"] for job in lineage["jobs"]}
        self.expect("a child and its parent are related", {parent, child} <= related, lineage)
        bundle = self.call("GET", f"/api/v1/download/{parent}/bundle.zip", name="/api/v1/download/{job_id}/bundle.zip")
        self.expect("a bundle is a ZIP archive", bundle.startswith(b"PK"), bundle)

    def play(self) -> None:
        """Upload a MIDI file, have it played, and delete it: its job keeps the notes."""
        uploaded = self.call("POST", "/api/v1/audio", data=MIDI)
        self.expect("an upload's content decides its kind", uploaded["kind"] == "midi", uploaded)
        path, name = f"/api/v1/audio/{uploaded['audio_id']}", "/api/v1/audio/{audio_id}"
        self.expect("an upload is described", self.call("GET", path, name=name) == uploaded, uploaded)
        body = {"score": {"audio_id": uploaded["audio_id"]}, "priority": "batch"}
        job_id = str(self.call("POST", "/api/v1/generate", json=body)["job_id"])
        self.call("DELETE", path, name=name)
        self.expect("a score is played", self._last_event(job_id) in ("completed", None), job_id)

    def ask(self) -> None:
        parsed = self.call("POST", "/api/v1/prompt/parse", json={"prompt": "slow jazz with piano, 80 bpm"})
        self.expect("a prompt is understood", "jazz" in json.dumps(parsed), parsed)
        self.call("GET", "/asyncapi.json")

    def _edit(self, job_id: str, kind: str, body: dict[str, Any]) -> Any:
        return self.call("POST", f"/api/v1/jobs/{job_id}/{kind}", json=body, name=f"/api/v1/jobs/{{job_id}}/{kind}")

    def _last_event(self, job_id: str) -> str | None:
        """The type of the event that ended the job, or None if it takes too long or the connection is lost."""
        name, deadline = "/api/v1/jobs/{job_id}/events", time.monotonic() + EVENTS_TIMEOUT
        path = f"/api/v1/jobs/{job_id}/events"
        with self.client.get(path, name=name, stream=True, timeout=EVENTS_TIMEOUT, catch_response=True) as response:
            for line in response.iter_lines():
                event = json.loads(line[6:]) if line.startswith(b"data: ") else {}
                if event.get("type") in ENDED:
                    return str(event["type"])
                if time.monotonic() > deadline:
                    return None
        return None

    tasks: ClassVar[dict[Callable[..., None], int]] = {vary: 2, play: 2, ask: 1}


class Careless(ApiUser):
    """Sends rubbish: each request must be refused with 4xx and a detail, and none may reach the queue."""

    weight = 3
    wait_time = between(0.1, 0.5)

    def misuse(self) -> None:
        method, path, text, times = random.choice(BAD_REQUESTS)
        body, headers = text.encode("latin-1") * times, {"Content-Type": "application/json"}
        name = f"bad {path.partition('?')[0]:.40}"
        with self.client.request(method, path, data=body, headers=headers, name=name, catch_response=True) as response:
            refused = 400 <= response.status_code < 500
            if refused and response.headers["Content-Type"].startswith("application/problem+json"):
                response.success()
            else:
                response.failure(f"{path} {body[:60]!r} was answered with {response.status_code} {response.text[:200]}")

    tasks: ClassVar[dict[Callable[..., None], int]] = {misuse: 1}


class Operator(ApiUser):
    """Watches health and metrics, pages through the jobs, and cancels one now and then."""

    weight = 2
    wait_time = between(1, 3)

    def look(self) -> None:
        report = self.call("GET", "/health")
        self.expect("every part is healthy", report["status"] == "healthy", report)
        for path in ("/health/live", "/health/ready", "/openapi.json"):
            self.call("GET", path)
        metrics = self.call("GET", "/metrics")
        self.expect("metrics count requests", b"musicgen_http_requests_total" in metrics, metrics)

    def list_jobs(self) -> None:
        """Every page: no job is there twice."""
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            query = f"limit=20&cursor={cursor}" if cursor else "limit=20"
            page = self.call("GET", f"/api/v1/jobs?{query}", name="/api/v1/jobs")
            seen += [job["job_id"] for job in page["jobs"]]
            cursor = page["next_cursor"]
        self.expect("pages hold each job once", len(seen) == len(set(seen)), seen)

    def cancel(self) -> None:
        page = self.call("GET", "/api/v1/jobs?status=queued&limit=5", name="/api/v1/jobs")
        if page["jobs"]:
            job_id = random.choice(page["jobs"])["job_id"]
            # 409: it was finished in the meantime.
            self.call("DELETE", f"/api/v1/jobs/{job_id}", (200, 409), name="/api/v1/jobs/{job_id}")

    tasks: ClassVar[dict[Callable[..., None], int]] = {look: 3, list_jobs: 2, cancel: 1}
