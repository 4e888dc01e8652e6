"""The fields that our manifests use of resources which Kubernetes does not define, as their makers document them."""

from typing import Any

Schema = dict[str, Any]


def _object(required: Schema, **optional: Any) -> Schema:
    return {
        "type": "object",
        "properties": required | optional,
        "required": list(required),
        "additionalProperties": False,
    }


def _resource(api_version: str, spec: Schema) -> Schema:
    metadata = {"type": "object", "required": ["name", "namespace"]}
    kind = {"type": "string"}
    return _object({"apiVersion": {"const": api_version}, "kind": kind, "metadata": metadata, "spec": spec})


_TEXT: Schema = {"type": "string", "minLength": 1}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_SELECTOR = _object({"matchLabels": {"type": "object", "minProperties": 1, "additionalProperties": _TEXT}})

# https://keda.sh/docs/latest/reference/scaledobject-spec and /scalers/prometheus
_PROMETHEUS = _object({"serverAddress": _TEXT, "query": _TEXT, "threshold": _TEXT}, ignoreNullValues=_TEXT)
_TRIGGER = _object({"type": {"const": "prometheus"}, "metadata": _PROMETHEUS})
_SCALE_DOWN = _object({"stabilizationWindowSeconds": {"type": "integer", "minimum": 0, "maximum": 3600}})
_FALLBACK = _object(
    {"failureThreshold": _COUNT, "replicas": _COUNT},
    behavior={"enum": ["static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"]},
)
_SCALED_OBJECT = _resource(
    "keda.sh/v1alpha1",
    _object(
        {"scaleTargetRef": _object({"name": _TEXT}), "triggers": {"type": "array", "minItems": 1, "items": _TRIGGER}},
        minReplicaCount=_COUNT,
        maxReplicaCount={"type": "integer", "minimum": 1},
        pollingInterval={"type": "integer", "minimum": 1},
        cooldownPeriod=_COUNT,
        fallback=_FALLBACK,
        advanced=_object({"horizontalPodAutoscalerConfig": _object({"behavior": _object({"scaleDown": _SCALE_DOWN})})}),
    ),
)

# https://prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1.PodMonitor
_ENDPOINT = _object(
    {"port": _TEXT}, path=_TEXT, authorization=_object({"credentials": _object({"name": _TEXT, "key": _TEXT})})
)
_POD_MONITOR = _resource(
    "monitoring.coreos.com/v1",
    _object({"selector": _SELECTOR, "podMetricsEndpoints": {"type": "array", "items": _ENDPOINT}}, jobLabel=_TEXT),
)

SCHEMAS = {"ScaledObject": _SCALED_OBJECT, "PodMonitor": _POD_MONITOR}
