"""Settings from the environment, read once at startup."""

import os
import re
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared import nats_servers
from shared.errors import SettingsError
from shared.lanes import PRIORITIES
from shared.models import check_model_reference, model_name

Port = Annotated[int, Meta(ge=1, le=65535, description="a port from 1 to 65535")]
OptionalPort = Annotated[int, Meta(ge=0, le=65535, description="a port from 1 to 65535, or 0 for none")]
NatsUrl = Annotated[str, Meta(description=nats_servers.FORM)]
_HOST = r"([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])"
HttpUrl = Annotated[
    str,
    Meta(pattern=rf"^https?://{_HOST}(:[0-9]{{1,5}})?/?\Z", description="a URL such as http://127.0.0.1:8333"),
]
Bucket = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9](?!.*\.\.)[a-z0-9.-]{1,61}[a-z0-9]\Z",
        description="an S3 bucket name, such as music-audio",
    ),
]
_ORIGIN = rf"[a-z][a-z0-9+.-]*://{_HOST}(:[0-9]{{1,5}})?"
Origins = Annotated[
    str,
    Meta(
        pattern=rf"^({_ORIGIN}(\s*,\s*{_ORIGIN})*)?\Z",
        description="origins such as https://app.example.com, with commas between them",
    ),
]
_HOSTNAME = r"([A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?|\*)"
Hostnames = Annotated[
    str,
    Meta(
        pattern=rf"^({_HOSTNAME}(\s*,\s*{_HOSTNAME})*)?\Z",
        description="host names such as music.example.com, with commas between them, or * for every name",
    ),
]
_KEY_PRIORITY = rf"[A-Za-z0-9_-]{{1,32}}:({'|'.join(PRIORITIES)})"
KeyPriorities = Annotated[
    str,
    Meta(
        pattern=rf"^({_KEY_PRIORITY}(\s*,\s*{_KEY_PRIORITY})*)?\Z",
        description=f"pairs such as importer:batch, with commas between them and a priority of {', '.join(PRIORITIES)}",
    ),
]
Networks = Annotated[
    str,
    Meta(
        pattern=r"^([0-9a-fA-F.:]+/[0-9]{1,3}(\s*,\s*[0-9a-fA-F.:]+/[0-9]{1,3})*)?\Z",
        description="networks such as 10.1.0.0/16, with commas between them",
    ),
]
CASE_INSENSITIVE = ("MUSICGEN_DEVICE", "LOG_LEVEL", "LOG_FORMAT", "CORS_ORIGINS", "GATEWAY_HOSTNAMES")

# IPv6 addresses may be given in brackets, as in URLs.
ADDRESSES = ("GATEWAY_HOST", "WORKER_METRICS_HOST")


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename="upper"):
    """All settings. The environment variable is the field name in capitals."""

    musicgen_model_size: Annotated[
        str, Meta(min_length=1, description="a model name such as starter or small, or a checkpoint folder")
    ] = "starter"
    # Beside MUSICGEN_MODEL_SIZE, split in `models`.
    worker_models: Annotated[str, Meta(description="model names or checkpoint folders, with commas between them")] = ""
    worker_memory_budget: Annotated[
        int, Meta(ge=0, le=2**60, description="a number of bytes, such as 16000000000, or 0 for most of the memory")
    ] = 0
    musicgen_device: Annotated[
        str,
        Meta(
            pattern=r"^(auto|cuda(:[0-9]{1,2})?|mps|cpu)\Z",
            description="auto, cuda, a GPU such as cuda:1, mps or cpu",
        ),
    ] = "auto"
    musicgen_engine: Annotated[
        str,
        Meta(
            pattern=r"^(batching|audiocraft|[A-Za-z_][\w.]*:[A-Za-z_]\w*)\Z",
            description="batching, audiocraft, or module:factory of an engine of your own",
        ),
    ] = "batching"
    musicgen_precision: Annotated[
        Literal["auto", "float32", "float16", "bfloat16", "int8", "int4"],
        Meta(description="auto, float32, float16, bfloat16, int8 or int4"),
    ] = "auto"
    musicgen_attention: Annotated[Literal["auto", "kernel", "masked"], Meta(description="auto, kernel or masked")] = (
        "auto"
    )
    musicgen_step: Annotated[Literal["auto", "native", "torch"], Meta(description="auto, native or torch")] = "auto"
    musicgen_graphs: Annotated[Literal["steady", "buckets", "off"], Meta(description="steady, buckets or off")] = (
        "steady"
    )
    musicgen_engine_patience: Annotated[float, Meta(ge=1, le=86_400, description="seconds from 1 to 86400")] = 300.0
    max_duration: Annotated[float, Meta(ge=0.5, le=600, description="seconds from 0.5 to 600")] = 120.0
    max_concurrent_jobs: Annotated[int, Meta(ge=1, le=256, description="a number of slots from 1 to 256")] = 8
    max_audio_days: Annotated[float, Meta(gt=0, le=3650, description="days up to 3650, such as 7 or 0.5")] = 7.0
    max_audio_bytes: Annotated[
        int, Meta(ge=0, le=2**60, description="a number of bytes, such as 20000000000, or 0 for no limit")
    ] = 20_000_000_000
    shutdown_grace: Annotated[float, Meta(ge=0.5, le=600, description="seconds from 0.5 to 600")] = 10.0
    musicgen_spool_dir: Annotated[str, Meta(description="a folder for what waits for S3, or nothing for none")] = ""
    nats_url: NatsUrl = "nats://127.0.0.1:4222"
    nats_replicas: Annotated[Literal[1, 3, 5], Meta(description="1, 3 or 5")] = 1
    s3_endpoint: HttpUrl = "http://127.0.0.1:8333"
    s3_public_endpoint: HttpUrl | None = None
    s3_access_key: str = ""
    s3_secret_key: str = ""
    s3_bucket: Bucket = "music-audio"
    s3_region: Annotated[str, Meta(min_length=1, description="an S3 region name, such as us-east-1")] = "us-east-1"
    gateway_host: Annotated[str, Meta(min_length=1, description="an address to listen on")] = "127.0.0.1"
    gateway_port: Port = 8000
    gateway_allow_open: Annotated[bool, Meta(description="1 or 0")] = False
    gateway_hostnames: Hostnames = ""
    gateway_idle_timeout: Annotated[float, Meta(ge=0.1, le=3600, description="seconds from 0.1 to 3600")] = 30.0
    gateway_connections: Annotated[int, Meta(ge=1, le=100_000, description="a number from 1 to 100000")] = 2000
    gateway_connections_per_address: Annotated[int, Meta(ge=1, le=100_000, description="a number from 1 to 100000")] = (
        500
    )
    gateway_websockets_per_client: Annotated[int, Meta(ge=1, le=100_000, description="a number from 1 to 100000")] = 100
    gateway_index_dir: Annotated[str, Meta(description="a folder for the copy of the records, or nothing")] = ""
    gateway_gary4juce: Annotated[bool, Meta(description="1 or 0")] = False
    cors_origins: Origins = ""
    # NAME:KEY pairs, or a file of them, parsed in gateway/access/api_keys.py.
    api_keys: str = ""
    api_keys_file: str = ""
    key_rate: Annotated[float, Meta(ge=0.1, le=10_000, description="requests a second from 0.1 to 10000")] = 100.0
    key_burst: Annotated[int, Meta(ge=1, le=100_000, description="a number of requests from 1 to 100000")] = 200
    key_queued_jobs: Annotated[int, Meta(ge=1, le=100_000, description="a number of jobs from 1 to 100000")] = 100
    key_daily_seconds: Annotated[float, Meta(ge=1, le=1e9, description="seconds of audio from 1 to 1e9")] = 36_000.0
    # Below MAX_RECORDS, so that one API key cannot exhaust the limit of all.
    key_records: Annotated[int, Meta(ge=1, le=40_000, description="a number of jobs from 1 to 40000")] = 10_000
    key_upload_bytes: Annotated[int, Meta(ge=1, le=2**60, description="a number of bytes, such as 1000000000")] = (
        1_000_000_000
    )
    key_priorities: KeyPriorities = ""
    # NAME:whsec_… pairs, parsed in gateway/webhooks/secrets.py.
    webhook_secrets: str = ""
    webhook_allowed_networks: Networks = ""
    webhook_first_pause: Annotated[float, Meta(ge=0.05, le=3600, description="seconds from 0.05 to 3600")] = 5.0
    worker_metrics_host: Annotated[str, Meta(min_length=1, description="an address to listen on")] = "127.0.0.1"
    worker_metrics_port: OptionalPort = 0
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="debug, info, warning or error")
    ] = "info"
    log_format: Annotated[Literal["text", "json"], Meta(description="text or json")] = "text"

    @property
    def model(self) -> str:
        """The name under which this model's jobs are queued."""
        return model_name(self.musicgen_model_size)

    @property
    def further_models(self) -> list[str]:
        """What WORKER_MODELS names."""
        return [each.strip() for each in self.worker_models.split(",") if each.strip()]

    @property
    def models(self) -> dict[str, str]:
        """The models of a worker, `model` first: each one's queue, and the name or folder that the settings give."""
        return {model_name(each): each for each in (self.musicgen_model_size, *self.further_models)}

    @property
    def allowed_origins(self) -> frozenset[str]:
        """Allowed CORS origins, as browsers send them."""
        return frozenset(origin.strip() for origin in self.cors_origins.split(",") if origin)

    @property
    def hostnames(self) -> frozenset[str]:
        """Host names in addition to localhost under which the gateway serves, without a trailing dot."""
        return frozenset(name.strip().removesuffix(".") for name in self.gateway_hostnames.split(",") if name)


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from `environ`; empty values count as unset.

    Raises:
        SettingsError: names the first invalid variable and its valid values.
    """
    names = [field.encode_name for field in msgspec.structs.fields(Settings)]
    values = {name: environ[name] for name in names if environ.get(name)}
    values |= {name: values[name].lower() for name in CASE_INSENSITIVE if name in values}
    values |= {name: values[name].strip("[]") for name in ADDRESSES if name in values}
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(_explain(str(error), values)) from error
    for name in ADDRESSES:
        _check_host(name, values.get(name, ""))
    _check_models(settings)
    nats_servers.parse_servers(settings.nats_url)
    return settings


def _check_models(settings: Settings) -> None:
    check_model_reference(settings.musicgen_model_size)
    named = {settings.model: settings.musicgen_model_size}
    for reference in settings.further_models:
        check_model_reference(reference, "WORKER_MODELS")
        name = model_name(reference)
        if named.setdefault(name, reference) != reference:
            raise SettingsError(
                f"WORKER_MODELS must be models of different names: {named[name]} and {reference} are both called "
                f"{name}. Rename a folder."
            )


def _check_host(name: str, host: str) -> None:
    try:
        host.encode("idna")
    except UnicodeError as error:
        raise SettingsError(f"{name} must be an address to listen on, not {host!r}.") from error


def http_url(host: str, port: int) -> str:
    """The URL of a server at this address, with IPv6 addresses in brackets (RFC 3986, section 3.2.2)."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _explain(error: str, values: Mapping[str, str]) -> str:
    match = re.search(r"`\$\.(\w+)`", error)
    name = match.group(1) if match else ""
    shown = re.sub(r"(?s)//.*@", "//…@", values.get(name, ""))  # hide the password of a mistyped URL
    return f"{name} must be {describe(name)}, not {shown!r}."


def describe(variable: str) -> str:
    """The valid values of a variable, in words."""
    for field in msgspec.structs.fields(Settings):
        if field.encode_name == variable:
            return _description(msgspec.inspect.type_info(field.type))
    raise KeyError(variable)


def _description(info: msgspec.inspect.Type) -> str:
    if isinstance(info, msgspec.inspect.UnionType):
        return next((text for text in map(_description, info.types) if text != "text"), "text")
    if isinstance(info, msgspec.inspect.Metadata) and info.extra_json_schema:
        return str(info.extra_json_schema.get("description", "text"))
    return "text"
