"""Settings from the environment."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.errors import SettingsError
from shared.settings import Settings, describe, load_settings

VARIABLES = [name.upper() for name in Settings.__struct_fields__]

# An invalid value for each variable that can have one, and words from the error message.
WRONG = [
    ("MUSICGEN_MODEL_SIZE", "tiny", "starter, small, medium, large, melody"),
    ("MUSICGEN_MODEL_SIZE", " small", "starter"),
    ("WORKER_MODELS", "tiny", "starter, small, medium, large, melody"),
    ("WORKER_MEMORY_BUDGET", "-1", "0 for most of the memory"),
    ("WORKER_MEMORY_BUDGET", "16GB", "16000000000"),
    ("MUSICGEN_DEVICE", "tpu", "auto, cuda, a GPU such as cuda:1, mps or cpu"),
    ("MUSICGEN_DEVICE", "cuda:", "cuda:1"),
    ("MUSICGEN_DEVICE", "cpu:1", "cuda:1"),
    ("MUSICGEN_ENGINE", "import os", "batching"),
    ("MUSICGEN_PRECISION", "int2", "bfloat16"),
    ("MUSICGEN_STEP", "maybe", "auto, native or torch"),
    ("MUSICGEN_GRAPHS", "maybe", "steady, buckets or off"),
    ("MUSICGEN_ENGINE", "module:", "module:factory"),
    ("MAX_DURATION", "0.4", "0.5 to 600"),
    ("MAX_DURATION", "601", "0.5 to 600"),
    ("MAX_DURATION", "long", "0.5 to 600"),
    ("MAX_DURATION", "nan", "0.5 to 600"),
    ("MAX_DURATION", "inf", "0.5 to 600"),
    ("MAX_DURATION", "1e999", "0.5 to 600"),
    ("MAX_CONCURRENT_JOBS", "0", "1 to 256"),
    ("MAX_CONCURRENT_JOBS", "1.5", "1 to 256"),
    ("MAX_CONCURRENT_JOBS", "true", "1 to 256"),
    ("MAX_CONCURRENT_JOBS", "-1", "1 to 256"),
    ("SHUTDOWN_GRACE", "-inf", "0.5 to 600"),
    ("MAX_AUDIO_DAYS", "0", "up to 3650"),
    ("MAX_AUDIO_DAYS", "week", "such as 7"),
    ("MAX_AUDIO_BYTES", "-1", "0 for no limit"),
    ("MAX_AUDIO_BYTES", "20GB", "20000000000"),
    ("NATS_URL", "127.0.0.1:4222", "nats://127.0.0.1:4222"),
    ("NATS_URL", "http://127.0.0.1:4222", "nats://127.0.0.1:4222"),
    ("NATS_URL", "nats://127.0.0.1:4222,127.0.0.1:4223", "Server 2 of 2"),
    ("NATS_URL", "nats://127.0.0.1:70000", "nats://127.0.0.1:4222"),
    ("NATS_REPLICAS", "2", "1, 3 or 5"),
    ("S3_ENDPOINT", "127.0.0.1:8333", "http://127.0.0.1:8333"),
    ("S3_ENDPOINT", "http://127.0.0.1:8333/bucket", "http://127.0.0.1:8333"),
    ("S3_PUBLIC_ENDPOINT", "music.example", "http://127.0.0.1:8333"),
    ("S3_BUCKET", "Music", "music-audio"),
    ("S3_BUCKET", "a", "music-audio"),
    ("GATEWAY_PORT", "0", "1 to 65535"),
    ("GATEWAY_PORT", "65536", "1 to 65535"),
    ("GATEWAY_PORT", "http", "1 to 65535"),
    ("GATEWAY_PORT", "99999999999999999999", "1 to 65535"),
    ("WORKER_METRICS_PORT", "-1", "0 for none"),
    ("GATEWAY_ALLOW_OPEN", "maybe", "1 or 0"),
    ("CORS_ORIGINS", "*", "https://app.example.com"),
    ("CORS_ORIGINS", "null", "https://app.example.com"),
    ("CORS_ORIGINS", "https://app.example.com/", "https://app.example.com"),
    ("CORS_ORIGINS", "https://a.example https://b.example", "commas"),
    ("CORS_ORIGINS", "https://*.example.com", "https://app.example.com"),
    ("GATEWAY_HOSTNAMES", "music.lan:8000", "music.example.com"),
    ("GATEWAY_HOSTNAMES", "https://music.lan", "music.example.com"),
    ("GATEWAY_HOSTNAMES", "*.lan", "* for every name"),
    ("GATEWAY_HOSTNAMES", "music.lan studio.lan", "commas"),
    ("GATEWAY_HOSTNAMES", "music.lan,", "commas"),
    ("KEY_RATE", "0", "0.1 to 10000"),
    ("KEY_RATE", "nan", "0.1 to 10000"),
    ("KEY_BURST", "0", "1 to 100000"),
    ("KEY_QUEUED_JOBS", "0", "1 to 100000"),
    ("KEY_DAILY_SECONDS", "inf", "1 to 1e9"),
    ("KEY_RECORDS", "0", "1 to 40000"),
    ("KEY_RECORDS", "40001", "1 to 40000"),
    ("LOG_LEVEL", "loud", "debug, info, warning or error"),
    ("LOG_FORMAT", "xml", "text or json"),
]


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = load_settings({})
    assert settings == Settings()
    assert (settings.model, settings.musicgen_device, settings.max_duration) == ("starter", "auto", 120.0)
    assert (settings.gateway_host, settings.gateway_port) == ("127.0.0.1", 8000)
    assert (settings.s3_bucket, settings.log_format) == ("music-audio", "text")


@pytest.mark.parametrize(("name", "value", "words"), WRONG)
def test_an_invalid_value_is_rejected_with_valid_ones(name: str, value: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({name: value})
    text = str(caught.value)
    assert text.startswith(f"{name} must be ")
    assert words in text
    assert repr(value) in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NATS_URL", "nat://gateway:S3CRET@host:4222"),
        ("NATS_URL", "nats://gateway:S3C RET@host:4222"),
        ("NATS_URL", "nat://gateway:S3C/@RET@host:4222"),
        ("S3_ENDPOINT", "https://key:S3CRET@host"),
    ],
)
def test_a_mistyped_url_does_not_show_its_password(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({name: value})
    assert "RET" not in str(caught.value)
    assert "//…@host" in str(caught.value)


@pytest.mark.parametrize("name", VARIABLES)
def test_every_variable_has_a_description_or_is_free_text(name: str) -> None:
    free = {"S3_ACCESS_KEY", "S3_SECRET_KEY", "API_KEYS", "API_KEYS_FILE", "WEBHOOK_SECRETS"}
    assert (describe(name) == "text") == (name in free)


@pytest.mark.parametrize("name", VARIABLES)
def test_an_empty_variable_counts_as_unset(name: str) -> None:
    assert load_settings({name: ""}) == Settings()


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("MUSICGEN_DEVICE", "CUDA", "cuda"),
        ("MUSICGEN_DEVICE", "Cuda:3", "cuda:3"),
        ("LOG_LEVEL", "Warning", "warning"),
        ("LOG_FORMAT", "JSON", "json"),
        ("MAX_DURATION", "30", 30.0),
        ("MAX_CONCURRENT_JOBS", "256", 256),
        ("GATEWAY_PORT", "1", 1),
        ("WORKER_METRICS_PORT", "0", 0),
        ("NATS_URL", "tls://user:pass@nats.example:4222", "tls://user:pass@nats.example:4222"),
        ("NATS_URL", "nats://one:4222, nats://two:4222,", "nats://one:4222, nats://two:4222,"),
        ("NATS_REPLICAS", "3", 3),
        ("S3_ENDPOINT", "https://s3.example/", "https://s3.example/"),
        ("S3_PUBLIC_ENDPOINT", "https://music.example", "https://music.example"),
        ("MUSICGEN_ENGINE", "tests.engines:load", "tests.engines:load"),
        ("MUSICGEN_MODEL_SIZE", "stereo-melody-large", "stereo-melody-large"),
        ("MUSICGEN_MODEL_SIZE", "./my model", "./my model"),
        ("WORKER_MODELS", "small, ./tune", "small, ./tune"),
        ("WORKER_MEMORY_BUDGET", "16000000000", 16_000_000_000),
        ("GATEWAY_HOST", "0.0.0.0", "0.0.0.0"),
        ("GATEWAY_HOST", "[::1]", "::1"),
        ("WORKER_METRICS_HOST", "[::]", "::"),
        ("CORS_ORIGINS", "https://App.example, tauri://localhost", "https://app.example, tauri://localhost"),
        ("GATEWAY_HOSTNAMES", "*", "*"),
        ("GATEWAY_HOSTNAMES", "music.example.com,*", "music.example.com,*"),
        ("GATEWAY_HOSTNAMES", "Music.LAN., my_gateway", "music.lan., my_gateway"),
        ("GATEWAY_ALLOW_OPEN", "1", True),
        ("GATEWAY_ALLOW_OPEN", "0", False),
    ],
)
def test_a_valid_value_is_accepted(name: str, value: str, meant: object) -> None:
    assert getattr(load_settings({name: value}), name.lower()) == meant


def test_foreign_variables_are_ignored() -> None:
    assert load_settings({"PATH": "/bin", "gateway_port": "1", "MODEL": "x"}) == Settings()


@pytest.mark.parametrize(
    ("further", "models"),
    [
        ("", {"starter": "starter"}),
        ("small, /models/Tune,", {"starter": "starter", "small": "small", "tune": "/models/Tune"}),
        ("small,starter,small", {"starter": "starter", "small": "small"}),
    ],
)
def test_a_worker_serves_its_first_model_and_further_ones(further: str, models: dict[str, str]) -> None:
    assert list(load_settings({"WORKER_MODELS": further}).models.items()) == list(models.items())


@pytest.mark.parametrize(
    ("further", "words"),
    [
        ("small,tiny", "it is 'tiny'"),
        ("/models/one/tune,/models/two/tune", "both called tune"),
        ("./starter", "another name"),
    ],
)
def test_a_further_model_that_cannot_be_served_is_named(further: str, words: str) -> None:
    with pytest.raises(SettingsError, match=r"^WORKER_MODELS must be ") as caught:
        load_settings({"WORKER_MODELS": further})
    assert words in str(caught.value)


@pytest.mark.parametrize(("reference", "model"), [("small", "small"), ("/models/My Tune v2", "my-tune-v2")])
def test_the_model_is_the_name_under_which_jobs_queue(reference: str, model: str) -> None:
    assert load_settings({"MUSICGEN_MODEL_SIZE": reference}).model == model


@given(st.sampled_from(VARIABLES), st.text(max_size=20))
@example("MUSICGEN_MODEL_SIZE", "~0")
@example("MUSICGEN_MODEL_SIZE", "./small")
def test_any_value_is_accepted_or_rejected_by_name(name: str, value: str) -> None:
    refused = ""
    try:
        load_settings({name: value})
    except SettingsError as error:
        refused = str(error)
    assert not refused or refused.startswith(f"{name} must be ")


def test_host_names_ignore_case_and_a_trailing_dot() -> None:
    settings = load_settings({"GATEWAY_HOSTNAMES": "Music.LAN., gateway"})
    assert settings.hostnames == {"music.lan", "gateway"}
    assert load_settings({}).hostnames == set()
