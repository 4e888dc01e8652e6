"""The parts of storage that need no S3 server."""

from urllib.parse import parse_qs, urlsplit

import pytest

from shared.errors import SettingsError, UnavailableError
from shared.settings import load_settings
from shared.storage import Storage

KEYS = {"S3_ACCESS_KEY": "key", "S3_SECRET_KEY": "s3cret"}
AWAY = KEYS | {"S3_ENDPOINT": "http://127.0.0.1:1"}  # no server listens on port 1
PUBLIC = AWAY | {"S3_PUBLIC_ENDPOINT": "https://music.example"}
DISPOSITION = "attachment; filename=\"Cafe.wav\"; filename*=UTF-8''Caf%C3%A9.wav"
KEY = "jobs/gen_abc123456789/audio.wav"


def url(environment: dict[str, str], *, internal: bool = False) -> str:
    storage = Storage(load_settings(environment))
    return storage.internal_url("GET", KEY) if internal else storage.public_url(KEY, DISPOSITION)


def test_a_url_is_signed_offline_for_ten_minutes() -> None:
    parts = urlsplit(url(AWAY))
    query = parse_qs(parts.query)
    assert parts.path == f"/music-audio/{KEY}"
    assert query["X-Amz-Expires"] == ["600"]
    assert query["X-Amz-Signature"]
    assert query["response-content-disposition"] == [DISPOSITION]


@pytest.mark.parametrize(
    ("environment", "internal", "origin"),
    [
        (AWAY, False, "http://127.0.0.1:1"),
        (AWAY, True, "http://127.0.0.1:1"),
        (PUBLIC, False, "https://music.example"),
        (PUBLIC, True, "http://127.0.0.1:1"),
        (KEYS | {"S3_ENDPOINT": "http://[::1]:8333"}, False, "http://[::1]:8333"),
    ],
)
def test_clients_get_urls_on_the_public_endpoint(environment: dict[str, str], internal: bool, origin: str) -> None:
    parts = urlsplit(url(environment, internal=internal))
    assert f"{parts.scheme}://{parts.netloc}" == origin


def test_urls_are_signed_for_the_configured_bucket_and_region() -> None:
    signed = url(AWAY | {"S3_BUCKET": "tunes", "S3_REGION": "eu-west-1"})
    assert urlsplit(signed).path == f"/tunes/{KEY}"
    assert "/eu-west-1/s3/" in parse_qs(urlsplit(signed).query)["X-Amz-Credential"][0]


def test_a_url_holds_the_access_key_but_not_the_secret() -> None:
    assert "s3cret" not in url(AWAY)


@pytest.mark.parametrize("missing", ["S3_ACCESS_KEY", "S3_SECRET_KEY"])
def test_missing_s3_keys_stop_the_start(missing: str) -> None:
    settings = load_settings({name: value for name, value in KEYS.items() if name != missing})
    with pytest.raises(SettingsError, match=missing):
        Storage(settings)


async def test_an_unreachable_s3_raises_unavailable() -> None:
    storage = Storage(load_settings(AWAY))
    with pytest.raises(UnavailableError, match="S3 is away"):
        await storage.check()
