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
