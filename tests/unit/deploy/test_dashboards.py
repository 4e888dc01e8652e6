"""Prometheus accepts rules, scrape configuration and dashboard, and they name metrics and documents that exist."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pynvml
import pytest
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.registry import Collector
from ruamel.yaml import YAML

import gateway.app  # noqa: F401 - registers the gateway's metrics
from tests.conftest import ROOT
from tests.documents import anchors
from tests.foreign_programs import output_of
from worker.metrics import MachineCollector

DASHBOARDS = ROOT / "deploy" / "dashboards"
CASES = Path(__file__).parent / "alert_cases.yml"
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
# Prometheus makes these itself.
OWN = {"up", "ALERTS"}
KEYWORDS = {"and", "or", "unless"}
# Values, which may contain braces; then labels and ranges.
STRINGS = re.compile(r'"[^"]*"')
LABELS = re.compile(r"\{[^}]*\}|\b(?:by|on|without|ignoring)\s*\([^)]*\)|\[[^\]]*\]")


def load(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path)


def rules() -> list[dict[str, Any]]:
    return [rule for group in load(DASHBOARDS / "alerts.yml")["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    dashboard: dict[str, Any] = json.loads((DASHBOARDS / "musicgen.json").read_text())
    return list(dashboard["panels"])


def queries() -> list[str]:
    """The dashboard's queries, with its variables replaced as Grafana does it."""
    found = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [query.replace("$__rate_interval", "1m").replace("$model", ".*") for query in found]


def named(query: str) -> set[str]:
    """The metrics of a query."""
    words = set(re.findall(r"\b[A-Za-z_]\w*\b(?!\s*\()", LABELS.sub("", STRINGS.sub("", query))))
    return words - KEYWORDS


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of all series that gateways and workers export; those of GPUs as on a machine that has none of them."""
    for name in ("nvmlInit", "nvmlShutdown"):
        monkeypatch.setattr(pynvml, name, lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 0)
    machine = CollectorRegistry()
    machine.register(MachineCollector())
    return set(_series(REGISTRY)) | set(_series(machine))


def _series(registry: Collector) -> Iterator[str]:
    for family in registry.collect():
        yield from (family.name + suffix for suffix in SUFFIXES.get(family.type, ()))


def test_every_alert_fires_for_its_fault_and_is_silent_otherwise() -> None:
    assert "SUCCESS" in output_of("promtool", "test", "rules", CASES)


def test_every_alert_has_a_fault_that_fires_it() -> None:
    fired = {case["alertname"] for test in load(CASES)["tests"] for case in test.get("alert_rule_test", ())
             if case.get("exp_alerts")}  # fmt: skip
    assert fired == {rule["alert"] for rule in rules()}


def test_every_alert_is_silent_about_a_healthy_service_that_has_its_metrics() -> None:
    (healthy,) = (test for test in load(CASES)["tests"] if test["name"] == "healthy")
    series = {name for each in healthy["input_series"] for name in named(each["series"])}
    assert {name for rule in rules() for name in named(rule["expr"])} <= series


def test_alerts_and_panels_name_metrics_that_are_exported(exported: set[str]) -> None:
    assert {"gpu_utilization_percent", "musicgen_jobs_total", "musicgen_http_requests_total"} <= exported
    for query in [*queries(), *(rule["expr"] for rule in rules())]:
        names = named(query)
        assert names, query
        assert names <= exported | OWN, query


def test_the_documents_list_exactly_the_metrics_that_are_exported(exported: set[str]) -> None:
    section = (ROOT / "docs" / "operations.md").read_text().split("## Metrics\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    listed = {name for row in rows for name in re.findall(r"`((?:musicgen|machine|gpu)_\w+)`", row.split("|")[1])}
    mentioned = set(re.findall(r"`((?:musicgen|machine|gpu)_\w+)`", section))
    histograms = {name.removesuffix("_bucket") for name in exported if name.endswith("_bucket")}
    series = {name + suffix for name in histograms for suffix in SUFFIXES["histogram"]}
    own = {name for name in exported if name.startswith(("musicgen_", "machine_", "gpu_"))} - series
    hidden = {"musicgen_records_trimmed_total", "musicgen_records_forgotten_total"}  # explained in another row
    assert listed | hidden == own | histograms
    assert mentioned <= own | histograms | series


def test_every_runbook_is_a_section_of_the_documents() -> None:
    for rule in rules():
        document, _, fragment = rule["annotations"]["runbook"].partition("#")
        assert fragment in anchors(ROOT / document), rule["alert"]


def test_the_scrape_configuration_is_valid_and_names_the_jobs_of_the_alerts() -> None:
    path = DASHBOARDS / "prometheus.yml"
    assert "SUCCESS" in output_of("promtool", "check", "config", path)
    jobs = {each["job_name"] for each in load(path)["scrape_configs"]}
    asked = {job for rule in rules() for job in re.findall(r'job="([\w-]+)"', rule["expr"])}
    assert asked == jobs


def test_prometheus_parses_every_query_of_the_dashboard(tmp_path: Path) -> None:
    # promtool checks queries only as rules.
    found = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries())]
    path = tmp_path / "queries.json"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": found}]}))
    assert f"{len(found)} rules found" in output_of("promtool", "check", "rules", path)


def test_panels_have_their_own_place_and_number() -> None:
    cells = [(x, y) for panel in panels() for x, y in _cells(panel["gridPos"])]
    assert len(cells) == len(set(cells))
    assert all(0 <= x < 24 for x, _ in cells)
    assert len({panel["id"] for panel in panels()}) == len(panels()) > 20


def _cells(place: dict[str, int]) -> Iterator[tuple[int, int]]:
    for x in range(place["x"], place["x"] + place["w"]):
        yield from ((x, y) for y in range(place["y"], place["y"] + place["h"]))
