"""Which environments ask for traces, and what a process says without the SDK."""

import os
import subprocess
import sys

import pytest

from shared.errors import SettingsError
from shared.trace_export import _resource, exporting, is_wanted
from shared.version import VERSION

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, False),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "true"}, False),
        (ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
    ],
)
def test_an_endpoint_turns_traces_on(environment: dict[str, str], wanted: bool) -> None:
    assert is_wanted(environment) is wanted


@pytest.mark.parametrize(
    ("name", "value"), [("OTEL_TRACES_EXPORTER", "zipkin"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]
)
def test_an_unsupported_value_stops_the_start_and_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} must be .* not '{value}'"):
        is_wanted(ENDPOINT | {name: value})


def test_without_the_sdk_the_start_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(SettingsError, match=r"uv sync --extra tracing"), exporting("gateway", ENDPOINT):
        pass


def test_the_operator_may_name_the_service() -> None:
    assert _resource("worker", {}) == {"service.name": "musicgen-worker", "service.version": VERSION}
    assert _resource("worker", {"OTEL_SERVICE_NAME": "mine"}) == {"service.version": VERSION}
    assert _resource("worker", {"OTEL_RESOURCE_ATTRIBUTES": "service.name=mine,zone=b"}) == {"service.version": VERSION}


def test_a_gateway_without_traces_does_not_import_the_sdk() -> None:
    program = (
        "import sys, gateway.main\nfrom shared.trace_export import exporting\n"
        "with exporting('gateway', {}): print('opentelemetry.sdk' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "False"
