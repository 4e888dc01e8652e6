"""What many build first: FastAPI in front of RQ or Celery on Redis. `bench.peers` measures it beside the gateway.

`PEER` chooses `rq` or `celery`, `REDIS_URL` the server. uvicorn serves `bench.peer_service:app`; `rq worker` and
`celery -A bench.peer_service:celery worker` run the jobs.
"""

import os
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from celery import Celery
from celery.result import AsyncResult
from fastapi import FastAPI
from redis import Redis
from rq import Queue
from rq.job import Job

from bench.peer_job import make

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
WORDS = {"finished": "completed", "started": "processing", "SUCCESS": "completed", "STARTED": "processing"}

app = FastAPI()
celery = Celery("peer", broker=REDIS_URL, backend=REDIS_URL)
# As the service promises: a job that a worker had when it died is done again.
celery.conf.update(task_acks_late=True, worker_prefetch_multiplier=1, task_track_started=True)
redis = Redis.from_url(REDIS_URL)
queue = Queue(connection=redis)


@dataclass
class GenerateRequest:
    """The body of a request."""

    prompt: str
    duration: float = 30.0
    temperature: float = 1.0
    top_k: int = 250
    seed: int | None = None


make_by_celery = celery.task(name="make")(make)


def generate(request: GenerateRequest) -> dict[str, Any]:
    """Accept a job."""
    job_id = f"gen_{uuid.uuid4().hex[:12]}"
    if os.environ.get("PEER") == "celery":
        make_by_celery.apply_async((request.duration,), task_id=job_id)
    else:
        queue.enqueue(make, request.duration, job_id=job_id)
    return {"job_id": job_id, "status": "queued", "created_at": datetime.now(UTC).isoformat()}


def status(job_id: str) -> dict[str, Any]:
    """A job's status."""
    if os.environ.get("PEER") == "celery":
        word = AsyncResult(job_id, app=celery).state
    else:
        word = Job.fetch(job_id, connection=redis).get_status()
    return {"job_id": job_id, "status": WORDS.get(word, "queued")}


app.post("/api/v1/generate")(generate)
app.get("/api/v1/status/{job_id}")(status)
