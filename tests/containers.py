"""The servers as containers, for `--stack=containers`: NATS and MinIO as in compose.yaml."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nats
from minio import Minio
from testcontainers.community.minio import MinioContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

NATS_IMAGE = "nats:2.12.15-alpine"
MINIO_IMAGE = "quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z"
ROLES = ("gateway", "worker", "operator", "observer")
PASSWORD = "secret"


@contextmanager
def nats_container(conf: Path) -> Iterator[dict[str, str]]:
    """Run a nats-server with nats.conf; yield its URL by role."""
    container = DockerContainer(NATS_IMAGE).with_exposed_ports(4222).with_command("-c /etc/nats/nats.conf")
    container = container.with_volume_mapping(str(conf), "/etc/nats/nats.conf").with_env("NATS_STORE_DIR", "/data")
    for role in ROLES:
        container = container.with_env(f"NATS_{role.upper()}_PASSWORD", PASSWORD)
    with container.waiting_for(LogMessageWaitStrategy("Server is ready")) as running:
        address = f"{running.get_container_host_ip()}:{running.get_exposed_port(4222)}"
        yield {role: f"nats://{role}:{PASSWORD}@{address}" for role in ROLES}


async def empty_nats(url: str) -> None:
    """Delete all streams of a test, because all tests share the container."""
    client = await nats.connect(url)
    js = client.jetstream()
    for stream in await js.streams_info():
        await js.delete_stream(str(stream.config.name))
    await client.close()


@contextmanager
def s3_container(bucket: str) -> Iterator[dict[str, dict[str, str]]]:
    """Run MinIO with the bucket; yield its connection settings by role, all with the same keys."""
    wanted = MinioContainer(MINIO_IMAGE)
    wanted.with_env("MINIO_ROOT_USER", wanted.access_key).with_env("MINIO_ROOT_PASSWORD", wanted.secret_key)
    with wanted as container:
        config = container.get_config()
        client = Minio(config["endpoint"], config["access_key"], config["secret_key"], secure=False)
        client.make_bucket(bucket)
        settings = {
            "S3_ENDPOINT": f"http://{config['endpoint']}",
            "S3_ACCESS_KEY": config["access_key"],
            "S3_SECRET_KEY": config["secret_key"],
        }
        yield dict.fromkeys(ROLES, settings)
