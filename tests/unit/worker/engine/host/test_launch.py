"""The engine process gets no secret, and cannot read the worker's environment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from worker.engine.host.launch import engine_environment, start_process

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

SECRETS = {
    "NATS_URL": "nats://worker:hidden@127.0.0.1:4222",
    "NATS_WORKER_PASSWORD": "hidden",
    "S3_ACCESS_KEY": "hidden",
    "S3_SECRET_KEY": "hidden",
    "S3_ENDPOINT": "http://hidden:9000",
    "AWS_ACCESS_KEY_ID": "hidden",
    "AWS_SECRET_ACCESS_KEY": "hidden",
    "API_KEYS": "daw:hidden",
    "API_KEYS_FILE": "/run/hidden",
    "MUSICGEN_API_KEY": "hidden",
    "MINIO_ROOT_PASSWORD": "hidden",
    "GITHUB_TOKEN": "hidden",
    "OPENAI_API_KEY": "hidden",
    "smtp_password": "hidden",
    "GOOGLE_APPLICATION_CREDENTIALS": "/hidden.json",
    "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic hidden",
    "DATABASE_URL": "postgres://app:hidden@db/app",
    "PIP_INDEX_URL": "https://hidden@packages.example/simple",
}
NEEDED = {
    "PATH": "/usr/bin",
    "HOME": "/var/lib/musicgen",
    "LD_LIBRARY_PATH": "/usr/local/cuda/lib64",
    "CUDA_VISIBLE_DEVICES": "0",
    "NVIDIA_VISIBLE_DEVICES": "all",
    "CC": "gcc",
    "TRITON_CACHE_DIR": "/cache",
    "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
    "HF_HOME": "/models",
    "HF_TOKEN": "hf_needed",
    "HF_TOKEN_PATH": "/run/secrets/hf",
    "HUGGING_FACE_HUB_TOKEN": "hf_needed",
    "HF_ENDPOINT": "https://mirror.example",
    "HTTPS_PROXY": "http://user:needed@proxy.example:3128",
    "no_proxy": "localhost",
    "all_proxy": "socks5://user:needed@proxy.example",
    "SSL_CERT_FILE": "/etc/ssl/ca.pem",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "4",
    "AUDIOCRAFT_CACHE_DIR": "/cache",
    "MY_ENGINE_MODE": "fast",
    "LANG": "C.UTF-8",
    "TMPDIR": "/tmp",
}


def test_an_engine_gets_the_variables_it_needs_and_no_secret() -> None:
    assert engine_environment(SECRETS | NEEDED) == NEEDED | {"GOMP_SPINCOUNT": "3000"}


def test_the_operators_value_wins_over_the_default() -> None:
    assert engine_environment({"GOMP_SPINCOUNT": "0"}) == {"GOMP_SPINCOUNT": "0"}


@linux
async def test_a_real_engine_process_has_no_secret_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (SECRETS | {"HF_TOKEN": "hf_needed"}).items():
        monkeypatch.setenv(name, value)
    _, writer, process = await start_process()
    environ = Path(f"/proc/{process.pid}/environ").read_text()
    writer.close()
    await process.wait()
    names = {each.partition("=")[0] for each in environ.split("\0")}
    assert {"PATH", "HF_TOKEN", "GOMP_SPINCOUNT"} <= names
    assert names & set(SECRETS) == set()
    assert "hidden" not in environ


# Prints whether another process of the same user can read the environment, before and after.
READING = """
import ctypes, os
from worker.main import PR_SET_DUMPABLE, hide_environment

def is_readable():
    child = os.fork()
    if not child:
        try:
            open(f"/proc/{os.getppid()}/environ").read()
        except PermissionError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

if os.getuid() == 0:  # root can read everything
    os.setgid(65534)
    os.setuid(65534)
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1)
before = is_readable()
hide_environment()
print(before, is_readable())
"""


@linux
def test_another_process_of_the_same_user_cannot_read_the_workers_environment() -> None:
    done = subprocess.run([sys.executable, "-c", READING], capture_output=True, text=True, timeout=60, env=os.environ)
    assert done.stdout == "True False\n", done.stderr


@pytest.mark.parametrize(
    ("device", "environ", "visible"),
    [
        ("cuda:1", {}, "1"),
        ("cuda:1", {"CUDA_VISIBLE_DEVICES": "2, 5"}, "5"),
        ("cuda:0", {"CUDA_VISIBLE_DEVICES": "GPU-8f2b"}, "GPU-8f2b"),
        ("cuda:2", {"CUDA_VISIBLE_DEVICES": "2,5"}, ""),
        ("cuda", {}, None),
        ("auto", {"CUDA_VISIBLE_DEVICES": "2,5"}, "2,5"),
    ],
)
def test_an_engine_sees_only_the_gpu_of_its_device(device: str, environ: dict[str, str], visible: str | None) -> None:
    assert engine_environment(environ, device).get("CUDA_VISIBLE_DEVICES") == visible


def test_gpus_are_counted_as_nvidia_smi_does() -> None:
    assert engine_environment({}, "cuda:1")["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
