"""Checks of the Kubernetes manifests without a cluster: schemas, settings, images, users, grace and scaling."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import msgspec
import pytest
from ruamel.yaml import YAML

from deploy.stack.embedded_servers import find_program
from gateway.http.routes import ROUTES
from shared.settings import Settings, load_settings
from tests.conftest import ROOT
from tests.foreign_programs import output_of
from tests.unit.deploy.custom_resources import SCHEMAS
from worker.worker import HAND_BACK_TIMEOUT

KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("cpu", "gpu")
# The oldest version that `docs/deployment.md` promises, and the newest whose schemas the package has.
VERSIONS = ("1.30", kubernetes_validate.latest_version())
# The secrets and their keys, which `docs/deployment.md` has the operator create.
SECRETS = {
    "musicgen-gateway": {"NATS_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY", "API_KEYS", "METRICS_KEY"},
    "musicgen-worker": {"NATS_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY"},
}
VALUES = {"NATS_URL": "nats://worker:p0@nats:4222", "API_KEYS": "daw:" + "0" * 16}

Manifest = dict[str, Any]


def load_all(text: str) -> list[Manifest]:
    return list(YAML(typ="safe", pure=True).load_all(text))


@pytest.fixture(scope="module", params=OVERLAYS)
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    """The manifests of an overlay, as `kubectl apply -k` sends them."""
    return load_all(output_of("kubectl", "kustomize", KUBERNETES / "overlays" / request.param))


@pytest.fixture(scope="module")
def gpu() -> list[Manifest]:
    return load_all(output_of("kubectl", "kustomize", KUBERNETES / "overlays" / "gpu"))


def named(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    (found,) = (each for each in manifests if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


def pod(manifests: list[Manifest], name: str) -> Manifest:
    spec: Manifest = named(manifests, "Deployment", name)["spec"]["template"]["spec"]
    return spec


def container(manifests: list[Manifest], role: str) -> Manifest:
    (found,) = pod(manifests, f"musicgen-{role}")["containers"]
    return dict(found)


def environment(manifests: list[Manifest], role: str) -> dict[str, str]:
    """The variables of a role; those from secrets have the value of `VALUES`."""
    found: dict[str, str] = {}
    for source in container(manifests, role)["envFrom"]:
        found |= named(manifests, "ConfigMap", source["configMapRef"]["name"])["data"]
    for variable in container(manifests, role)["env"]:
        found[variable["name"]] = variable.get("value") or VALUES.get(variable["name"], "secret")
    return found


def dockerfile(role: str) -> str:
    return (ROOT / "deploy" / "containers" / f"{role}.Dockerfile").read_text()


def test_every_manifest_follows_its_schema(manifests: list[Manifest]) -> None:
    assert len(manifests) > 10
    for manifest in manifests:
        if schema := SCHEMAS.get(manifest["kind"]):
            jsonschema.validate(manifest, schema)
        else:
            for version in VERSIONS:
                kubernetes_validate.validate(manifest, version, strict=True)


def test_everything_is_in_one_namespace(manifests: list[Manifest]) -> None:
    assert {each["metadata"]["namespace"] for each in manifests} == {"musicgen"}


@pytest.mark.parametrize("role", ["gateway", "worker"])
def test_a_role_gets_only_settings_that_exist_and_accepts_them(manifests: list[Manifest], role: str) -> None:
    given = environment(manifests, role)
    assert set(given) <= {field.encode_name for field in msgspec.structs.fields(Settings)}
    settings = load_settings(given)
    assert settings.s3_bucket == "music-audio"
    assert not settings.gateway_allow_open


@pytest.mark.parametrize("role", ["gateway", "worker"])
def test_secrets_come_from_secrets_that_the_documents_create(manifests: list[Manifest], role: str) -> None:
    text = (ROOT / "docs" / "deployment.md").read_text()
    referred = [each["valueFrom"]["secretKeyRef"] for each in container(manifests, role)["env"] if "valueFrom" in each]
    assert {each["key"] for each in referred} >= {"NATS_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY"}
    for reference in referred:
        assert reference["key"] in SECRETS[reference["name"]]
        command = text.split(f"secret generic {reference['name']} ")[1].split("\nkubectl")[0]
        assert f"--from-literal={reference['key']}=" in command
    literal = {each["name"] for each in container(manifests, role)["env"] if "value" in each}
    assert not [name for name in literal if re.search(r"KEY|PASSWORD|SECRET|NATS_URL", name)]


@pytest.mark.parametrize("role", ["gateway", "worker"])
def test_a_pod_runs_the_image_as_it_was_built(manifests: list[Manifest], role: str) -> None:
    found, text = container(manifests, role), dockerfile(role)
    compose = YAML(typ="safe", pure=True).load(ROOT / "compose.yaml")["services"][role]["image"]
    assert found["image"].rpartition("/")[2] == compose
    assert "command" not in found
    assert "args" not in found
    assert [str(each["containerPort"]) for each in found["ports"]] == re.findall(r"^EXPOSE (\d+)", text, re.MULTILINE)
    security = pod(manifests, f"musicgen-{role}")["securityContext"]
    assert f"USER {security['runAsUser']}:{security['runAsGroup']}" in text
    path = found["livenessProbe"]["httpGet"]["path"]
    assert f"'{path}'" in text.split("HEALTHCHECK")[1]


def test_the_probes_of_the_gateway_need_no_key(manifests: list[Manifest]) -> None:
    public = {route.path for route in ROUTES if route.is_public}
    found = container(manifests, "gateway")
    assert {found[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe")} <= public


def test_every_pod_is_restricted_and_writes_only_to_volumes(manifests: list[Manifest]) -> None:
    names = [each["metadata"]["name"] for each in manifests if each["kind"] == "Deployment"]
    assert len(names) >= 2
    for name in names:
        spec = pod(manifests, name)
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is spec["enableServiceLinks"] is False
        for each in spec["containers"]:
            assert each["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "/tmp" in {mount["mountPath"] for mount in each["volumeMounts"]}
            assert {"requests", "limits"} == set(each["resources"])


def test_the_worker_keeps_models_and_spool_on_its_volume(manifests: list[Manifest]) -> None:
    (home,) = re.findall(r"^VOLUME (\S+)", dockerfile("worker"), re.MULTILINE)
    assert home in {mount["mountPath"] for mount in container(manifests, "worker")["volumeMounts"]}
    assert environment(manifests, "worker")["MUSICGEN_SPOOL_DIR"].startswith(home)


def test_pods_get_more_time_to_stop_than_they_take(manifests: list[Manifest]) -> None:
    gateway, worker = (load_settings(environment(manifests, role)) for role in ("gateway", "worker"))
    pause = container(manifests, "gateway")["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod(manifests, "musicgen-gateway")["terminationGracePeriodSeconds"] > gateway.shutdown_grace + pause + 5
    assert worker.shutdown_grace >= 2 * worker.max_duration
    seconds = worker.shutdown_grace + HAND_BACK_TIMEOUT
    assert pod(manifests, "musicgen-worker")["terminationGracePeriodSeconds"] > seconds + 10


def test_selectors_and_targets_meet_something(manifests: list[Manifest]) -> None:
    labels = [each["spec"]["template"]["metadata"]["labels"] for each in manifests if each["kind"] == "Deployment"]
    chart = [{"app.kubernetes.io/name": "nats"}]
    deployments = {each["metadata"]["name"] for each in manifests if each["kind"] == "Deployment"}
    for manifest in manifests:
        spec = manifest.get("spec", {})
        selector = spec.get("podSelector") or spec.get("selector")
        if selector and manifest["kind"] != "Deployment":
            wanted = selector.get("matchLabels", selector).items()
            assert any(wanted <= each.items() for each in labels + chart), manifest["metadata"]
        if target := spec.get("scaleTargetRef"):
            assert target["name"] in deployments


def test_a_number_of_replicas_belongs_to_its_autoscaler_alone(manifests: list[Manifest]) -> None:
    scaled = {each["spec"]["scaleTargetRef"]["name"] for each in manifests if "scaleTargetRef" in each.get("spec", {})}
    assert "musicgen-gateway" in scaled
    for each in manifests:
        if each["kind"] == "Deployment":
            assert ("replicas" in each["spec"]) == (each["metadata"]["name"] not in scaled)


def test_scrape_jobs_have_the_names_of_the_alert_rules(gpu: list[Manifest]) -> None:
    rules = (ROOT / "deploy" / "dashboards" / "alerts.yml").read_text()
    for role in ("gateway", "worker"):
        monitor = named(gpu, "PodMonitor", f"musicgen-{role}")["spec"]
        labels = named(gpu, "Deployment", f"musicgen-{role}")["spec"]["template"]["metadata"]["labels"]
        assert f'job="{labels[monitor["jobLabel"]]}"' in rules
        ports = {each["name"] for each in container(gpu, role)["ports"]}
        assert {each["port"] for each in monitor["podMetricsEndpoints"]} <= ports


def scaling(gpu: list[Manifest]) -> dict[str, str]:
    (trigger,) = named(gpu, "ScaledObject", "musicgen-worker")["spec"]["triggers"]
    return dict(trigger["metadata"])


def test_workers_scale_with_the_jobs_of_their_model(gpu: list[Manifest]) -> None:
    settings = environment(gpu, "worker")
    assert set(re.findall(r'model="(\w+)"', scaling(gpu)["query"])) == {settings["MUSICGEN_MODEL_SIZE"]}
    assert scaling(gpu)["threshold"] == settings["MAX_CONCURRENT_JOBS"]
    assert environment(gpu, "gateway")["MUSICGEN_MODEL_SIZE"] == settings["MUSICGEN_MODEL_SIZE"]


def jobs(gpu: list[Manifest], minute: int, *samples: float) -> dict[str, Any]:
    value = [{"labels": "{}", "value": sample} for sample in samples]
    return {"expr": scaling(gpu)["query"], "eval_time": f"{minute}m", "exp_samples": value}


def test_the_scaling_query_counts_queued_and_running_jobs_and_knows_an_empty_queue(
    gpu: list[Manifest], tmp_path: Path
) -> None:
    # Two gateways report the same queue. It is empty, grows, is worked off, is empty; then the gateways end.
    series = {
        'musicgen_queue_depth{instance="a"}': "0x4 9x9 0x6 stale",
        'musicgen_queued_jobs{instance="a", model="medium"}': "_x4 5x4 stale",
        'musicgen_queued_jobs{instance="b", model="medium"}': "_x4 5x4 stale",
        'musicgen_queued_jobs{instance="a", model="starter"}': "7x19 stale",
        'musicgen_worker_slots_busy{instance="a", model="medium"}': "_x7 4x6 stale",
    }
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            jobs(gpu, 2, 0), jobs(gpu, 5, 5), jobs(gpu, 8, 9), jobs(gpu, 12, 4), jobs(gpu, 17, 0), jobs(gpu, 25),
        ],
    }  # fmt: skip
    path = tmp_path / "scaling.yml"
    path.write_text(json.dumps({"tests": [test]}))
    assert "SUCCESS" in output_of("promtool", "test", "rules", path)


def nats_values() -> Manifest:
    values: Manifest = YAML(typ="safe", pure=True).load(KUBERNETES / "nats-values.yaml")
    return values


def test_the_chart_of_nats_gets_every_variable_of_nats_conf(gpu: list[Manifest]) -> None:
    settings = "\n".join(line.partition("#")[0] for line in (ROOT / "nats.conf").read_text().splitlines())
    variables = set(re.findall(r'(?<!")\$([A-Z_]+)', settings)) - {"JS", "KV", "SRV"}
    assert set(nats_values()["container"]["env"]) == variables
    assert environment(gpu, "worker")["NATS_REPLICAS"] == str(nats_values()["config"]["cluster"]["replicas"])


def test_nats_accepts_its_configuration_included_by_that_of_the_chart(tmp_path: Path) -> None:
    included = nats_values()["config"]["merge"]["zzz$include"]
    (mount,) = (each["value"] for each in nats_values()["container"]["patch"])
    chart = tmp_path / "nats-config" / "nats.conf"
    ours = (chart.parent / included).resolve()
    assert ours == tmp_path / mount["mountPath"].removeprefix("/etc/") / "nats.conf"
    for path in (chart, ours):
        path.parent.mkdir()
    ours.write_text((ROOT / "nats.conf").read_text())
    # As the chart writes it: JSON with the include at the end.
    own = '"jetstream": {"store_dir": "/elsewhere"}, "port": 4222, "http_port": 8222,'
    chart.write_text(f"{{{own}\ninclude {included};\n}}")
    environment = {name: f"p{number}" for number, name in enumerate(nats_values()["container"]["env"])}
    command = [find_program("nats-server"), "-t", "-c", str(chart)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
