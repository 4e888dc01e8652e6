"""The gateway's paths of one job."""

from urllib.parse import quote


def status_path(job_id: str) -> str:
    """The path of a job's state."""
    return f"/api/v1/status/{quote(job_id, safe='')}"


def job_path(job_id: str) -> str:
    """The path to cancel a job."""
    return f"/api/v1/jobs/{quote(job_id, safe='')}"


def file_path(job_id: str, name: str | None = None) -> str:
    """The path of a file of a job; without a name, of its audio."""
    path = f"/api/v1/download/{quote(job_id, safe='')}"
    return path if name is None else f"{path}/{quote(name, safe='')}"
