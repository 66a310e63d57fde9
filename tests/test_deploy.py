"""The files that put a cluster up: they say what the code says, drop what they can, and Kubernetes takes them."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parent.parent
CLUSTER = ROOT / "deploy" / "cluster"
CRD = os.environ.get("VIVANT_RAYCLUSTER_CRD", "")
"""KubeRay's own definition: helm-chart/kuberay-operator/crds/ray.io_rayclusters.yaml of the version you run"""

Json = dict[str, Any]

PARAMS: Json = {"type": "object", "additionalProperties": {"type": "string"}}
POD: Json = {"type": "object", "required": ["spec"]}
COUNT: Json = {"type": "integer", "minimum": 0}
RAY_CLUSTER: Json = {
    "type": "object",
    "additionalProperties": False,
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "ray.io/v1"},
        "kind": {"const": "RayCluster"},
        "metadata": {"type": "object", "required": ["name"]},
        "spec": {
            "type": "object",
            "additionalProperties": False,
            "required": ["headGroupSpec"],
            "properties": {
                "rayVersion": {"type": "string"},
                "headGroupSpec": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["rayStartParams", "template"],
                    "properties": {"rayStartParams": PARAMS, "template": POD},
                },
                "workerGroupSpecs": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["groupName", "minReplicas", "maxReplicas", "rayStartParams", "template"],
                        "properties": {
                            "groupName": {"type": "string"},
                            "replicas": COUNT,
                            "minReplicas": COUNT,
                            "maxReplicas": COUNT,
                            "rayStartParams": PARAMS,
                            "template": POD,
                        },
                    },
                },
            },
        },
    },
}
"""the fields of ray.io/v1 that we use, with the types that KubeRay's definition gives them; others are mistakes here"""


def documents() -> list[Json]:
    return list(yaml.safe_load_all((CLUSTER / "raycluster.yaml").read_text()))


def ray_cluster() -> Json:
    [found] = [document for document in documents() if document["kind"] == "RayCluster"]
    return found


def templates(cluster: Json) -> list[Json]:
    spec = cluster["spec"]
    return [spec["headGroupSpec"]["template"], *(group["template"] for group in spec["workerGroupSpecs"])]


def containers(cluster: Json) -> Iterator[Json]:
    for template in templates(cluster):
        yield from template["spec"]["containers"]


def mistakes(document: Json, schema: Json) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(document)]


# -- Kubernetes -------------------------------------------------------------------------------------------------------


def test_the_cluster_has_the_fields_of_kuberays_definition_with_their_types() -> None:
    assert mistakes(ray_cluster(), RAY_CLUSTER) == []


@pytest.mark.parametrize(
    "broken",
    [
        {"rayVersion": 2.6},
        {"headGroupSpecs": {}},
        {"headGroupSpec": {"rayStartParams": {"num-cpus": 0}, "template": {"spec": {}}}},
        {"headGroupSpec": {"rayStartParams": {}}},
        {"workerGroupSpecs": [{"groupName": "cards"}]},
    ],
)
def test_a_field_that_kuberay_would_refuse_is_seen(broken: Json) -> None:
    """The negative control: a number for a text, a name that is none, a part that is missing."""
    cluster = ray_cluster()
    cluster["spec"] |= broken
    assert len(mistakes(cluster, RAY_CLUSTER)) >= 1


def test_kuberays_whole_definition_takes_the_cluster() -> None:
    if not CRD:
        pytest.skip("SKIPPED FOR LACK OF KUBERAY'S DEFINITION: name its file in VIVANT_RAYCLUSTER_CRD")
    definition = yaml.safe_load(Path(CRD).read_text())
    [schema] = [
        version["schema"]["openAPIV3Schema"] for version in definition["spec"]["versions"] if version["name"] == "v1"
    ]
    assert mistakes(ray_cluster(), strict(schema)) == []


def strict(schema: Json) -> Json:
    """Return a schema in which a field that is not named is a mistake, as the API server's strict mode has it."""
    text = json.dumps(schema)
    found: Json = json.loads(text, object_hook=_closed)
    return found


def _closed(part: Json) -> Json:
    open_anyway = "additionalProperties" in part or part.get("x-kubernetes-preserve-unknown-fields")
    if part.get("type") == "object" and "properties" in part and not open_anyway:
        part["additionalProperties"] = False
    if part.get("x-kubernetes-int-or-string"):
        part = {"type": ["integer", "string"]}
    return part


def test_kubernetes_own_schema_takes_the_pods_and_the_policy() -> None:
    try:
        validate = importlib.import_module("kubernetes_validate").validate
    except ImportError:
        pytest.skip("SKIPPED FOR LACK OF KUBERNETES' SCHEMAS: pip install kubernetes-validate, 108 MB")
    pods = [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}} | pod for pod in templates(ray_cluster())]
    [policy] = [document for document in documents() if document["kind"] == "NetworkPolicy"]
    assert len(pods) == 2
    for found in (*pods, policy):
        validate(found, "1.33", strict=True)
    with pytest.raises(Exception, match="container"):
        validate(pods[0] | {"spec": {"container": []}}, "1.33", strict=True)


def test_no_pod_may_gain_anything_and_every_member_of_ray_needs_the_token() -> None:
    for container in containers(ray_cluster()):
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        mounted = {mount["name"]: mount for mount in container["volumeMounts"]}
        assert mounted["cluster-token"]["readOnly"]
    for container in containers(ray_cluster()):
        if container["name"].startswith("ray-"):
            values = {item["name"]: item.get("value") for item in container["env"]}
            assert values["RAY_AUTH_MODE"] == "token" and values["RAY_USAGE_STATS_ENABLED"] == "0"
            assert not any(name.startswith("VIVANT") for name in values), "Ray gets no secret of the bot"
    assert ray_cluster()["spec"]["headGroupSpec"]["rayStartParams"]["include-dashboard"] == "false"


# -- compose ----------------------------------------------------------------------------------------------------------


def services(name: str = "compose.yaml") -> dict[str, Json]:
    found: dict[str, Json] = yaml.safe_load((CLUSTER / name).read_text())["services"]
    return found


def test_one_head_one_bot_and_nodes_that_join_it() -> None:
    found = services()
    assert found["head"]["command"] == ["cluster", "head"]
    assert found["node"]["command"] == ["cluster", "join", "${VIVANT_HEAD:-head:6379}"]
    assert found["bot"]["environment"]["VIVANT_CLUSTER__ADDRESS"] == "${VIVANT_HEAD:-head:6379}"
    assert found["bot"]["network_mode"] == "service:head"
    assert services("hosts.yaml").keys() == found.keys()


def test_no_container_may_gain_anything_and_only_the_bot_has_its_secret_and_its_data() -> None:
    for name, service in services().items():
        assert (service["security_opt"], service["cap_drop"]) == (["no-new-privileges:true"], ["ALL"])
        assert service["secrets"] == ["cluster-token"]
        assert ("VIVANT_TOKEN" in service["environment"]) == (name == "bot")
        assert any(volume.startswith("vivant-data:") for volume in service["volumes"]) == (name == "bot")


def test_the_token_of_a_cluster_is_not_committed_by_chance() -> None:
    assert "deploy/cluster/cluster-token" in (ROOT / ".gitignore").read_text().splitlines()
    assert "deploy" in (ROOT / ".dockerignore").read_text().splitlines()
