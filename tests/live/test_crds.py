"""The CRDs on the real API server: accepted as written, and of one mind with the models about documents."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from opensearch_ml_operator.constants import API_VERSION, GROUP, SCHEMA_HASH_ANNOTATION
from opensearch_ml_operator.crdgen import definition, schema_hash
from opensearch_ml_operator.models.common import (
    Condition,
    ManagedStatus,
    Model,
    Pending,
    PendingChange,
    StatusBase,
)
from opensearch_ml_operator.models.connection import ConnectionUsers, OpenSearchConnectionStatus, Orphan
from opensearch_ml_operator.models.connector import Candidate, MLConnectorStatus, PreviousConnector, Trial
from opensearch_ml_operator.models.export import ExportID
from opensearch_ml_operator.models.group import MLModelGroupStatus
from opensearch_ml_operator.models.kinds import KINDS, KindInfo, by_kind
from opensearch_ml_operator.models.model import HealingStatus, RemoteModelStatus, Task, Workers
from opensearch_ml_operator.models.probe import ProbeStatus
from opensearch_ml_operator.models.settings import AddedEndpoints, MLClusterSettingsStatus, PreviousValue
from stack.controlplane import ControlPlane
from support.kind_documents import (
    ACCEPTED,
    REFUSED,
    RULES,
    UPDATE_RULES,
    RuleCase,
    UpdateCase,
    spec_of,
)

CRDS = Path(__file__).parents[2] / "crds"
every_kind = pytest.mark.parametrize("info", KINDS, ids=lambda info: info.kind)
TIME = "2026-01-02T03:04:05Z"
READY = Condition(
    type="Ready", status="True", reason="Succeeded", observed_generation=1, last_transition_time=TIME
)


@dataclass(frozen=True, slots=True)
class Api:
    """Our kinds in one namespace of the real API server."""

    client: httpx.Client
    namespace: str
    outside: list[str] = field(default_factory=list)
    """Objects that do not go with the namespace."""

    def path(self, kind: str, name: str = "") -> str:
        info = by_kind(kind)
        where = f"/namespaces/{self.namespace}" if info.scope == "Namespaced" else ""
        return f"/apis/{API_VERSION}{where}/{info.plural}/{name}".rstrip("/")

    def create(self, kind: str, spec: Mapping[str, Any], name: str = "") -> dict[str, Any]:
        """Store an object; its name is made up when none is given."""
        body = self._body(kind, spec, name or f"a-{uuid.uuid4().hex}")
        stored: dict[str, Any] = self.client.post(self.path(kind), json=body).raise_for_status().json()
        if by_kind(kind).scope == "Cluster":
            self.outside.append(self.path(kind, body["metadata"]["name"]))
        return stored

    def try_create(self, kind: str, spec: Mapping[str, Any]) -> httpx.Response:
        """Ask whether an object would be accepted; nothing is stored."""
        return self.client.post(
            self.path(kind), json=self._body(kind, spec, "example"), params={"dryRun": "All"}
        )

    def try_replace(self, kind: str, current: Mapping[str, Any], spec: Mapping[str, Any]) -> httpx.Response:
        """Ask whether another spec would be accepted; nothing is stored."""
        path = self.path(kind, current["metadata"]["name"])
        return self.client.put(path, json={**current, "spec": spec}, params={"dryRun": "All"})

    def apply(self, kind: str, spec: Mapping[str, Any], name: str) -> dict[str, Any]:
        """Apply server-side, as Argo CD, Flux and `kubectl apply --server-side` do."""
        answer = self.client.patch(
            self.path(kind, name),
            content=json.dumps(self._body(kind, spec, name)),
            params={"fieldManager": "test"},
            headers={"Content-Type": "application/apply-patch+yaml"},
        )
        assert answer.is_success, answer.text
        applied: dict[str, Any] = answer.json()
        return applied

    def write_status(self, current: Mapping[str, Any], status: StatusBase) -> httpx.Response:
        return self.client.patch(
            self.path(current["kind"], f"{current['metadata']['name']}/status"),
            content=json.dumps({"status": status.to_body()}),
            headers={"Content-Type": "application/merge-patch+json"},
        )

    def _body(self, kind: str, spec: Mapping[str, Any], name: str) -> dict[str, Any]:
        return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


@pytest.fixture(scope="module")
def client(control_plane: ControlPlane) -> Iterator[httpx.Client]:
    with control_plane.client() as client:
        yield client


@pytest.fixture(scope="module")
def installed(control_plane: ControlPlane, client: httpx.Client) -> None:
    control_plane.run_kubectl("apply", "-f", str(CRDS))
    deadline = time.monotonic() + 60
    waiting = {info.plural for info in KINDS}
    while waiting:
        assert time.monotonic() < deadline, f"not served: {waiting}"
        waiting = {plural for plural in waiting if client.get(f"/apis/{API_VERSION}/{plural}").is_error}


@pytest.fixture(scope="module")
def api(client: httpx.Client, installed: None) -> Iterator[Api]:  # noqa: ARG001
    namespace = f"crds-{uuid.uuid4().hex[:8]}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    client.post("/api/v1/namespaces", json=body).raise_for_status()
    api = Api(client, namespace)
    yield api
    client.delete(f"/api/v1/namespaces/{namespace}").raise_for_status()
    for path in api.outside:
        client.delete(path).raise_for_status()


def causes(answer: httpx.Response) -> list[str]:
    """Return what the API server says is wrong; it adds the value in front of a rule's message."""
    assert answer.status_code == 422, answer.text
    return [cause["message"].partition(": ")[2] for cause in answer.json()["details"]["causes"]]


@every_kind
@pytest.mark.usefixtures("installed")
def test_the_server_keeps_the_crd_as_written_and_finds_no_fault(client: httpx.Client, info: KindInfo) -> None:
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{info.plural}.{GROUP}"
    stored = client.get(path).raise_for_status().json()

    [version] = stored["spec"]["versions"]
    assert version == definition(info)["spec"]["versions"][0]
    assert stored["metadata"]["annotations"][SCHEMA_HASH_ANNOTATION] == schema_hash(info.kind)
    conditions = {condition["type"]: condition["status"] for condition in stored["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}


@pytest.mark.parametrize("case", RULES, ids=lambda case: f"{case.kind}: {case.message}")
def test_a_rule_accepts_and_refuses(api: Api, case: RuleCase) -> None:
    for changes in case.keeps:
        answer = api.try_create(case.kind, spec_of(case.kind, changes))
        assert answer.status_code == 201, answer.text
    for changes in case.breaks:
        answer = api.try_create(case.kind, spec_of(case.kind, changes))
        assert causes(answer) == [case.message]


@pytest.mark.parametrize(
    "case", UPDATE_RULES, ids=lambda case: f"{case.kind}: {case.message}, from {case.before}"
)
def test_a_rule_about_updates_accepts_and_refuses(api: Api, case: UpdateCase) -> None:
    current = api.create(case.kind, spec_of(case.kind, case.before))

    for changes in case.keeps:
        answer = api.try_replace(case.kind, current, spec_of(case.kind, changes))
        assert answer.status_code == 200, answer.text
    for changes in case.breaks:
        assert causes(api.try_replace(case.kind, current, spec_of(case.kind, changes))) == [case.message]


@pytest.mark.parametrize(("kind", "changes"), ACCEPTED)
def test_the_server_accepts_good_documents_and_fills_in_the_models_defaults(
    api: Api, kind: str, changes: Mapping[str, Any]
) -> None:
    raw = spec_of(kind, changes)
    answer = api.try_create(kind, raw)

    assert answer.status_code == 201, answer.text
    stored = answer.json()
    wanted = by_kind(kind).spec.model_validate(raw).to_body()
    assert without_empty(stored["spec"]) == without_empty(wanted)
    assert stored["status"] == {"observedGeneration": -1}


def without_empty(value: Any) -> Any:
    """Drop empty lists and maps: the models show them where the server shows nothing."""
    if isinstance(value, Mapping):
        kept = {name: without_empty(child) for name, child in value.items()}
        return {name: child for name, child in kept.items() if child not in ([], {})}
    return [without_empty(child) for child in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("kind", "changes"), REFUSED)
def test_the_server_refuses_bad_documents(api: Api, kind: str, changes: Mapping[str, Any]) -> None:
    answer = api.try_create(kind, spec_of(kind, changes))

    assert answer.status_code == 422, answer.text


MANAGED: dict[str, Any] = {
    "observed_generation": 1,
    "conditions": [READY],
    "last_handled_reconcile_at": "now",
    "last_sync_time": TIME,
    "id": "aBcDeFgHiJkLmNoPqRsT",
    "origin": "Created",
    "pending_changes": [PendingChange(path="name", from_="a", to="b")],
    "pending": Pending(role="Model", revision=1, attempt=1, hash="0a", holder="pod-1", started_at=TIME),
}
CONNECTION = OpenSearchConnectionStatus(
    observed_generation=1,
    conditions=[READY],
    last_handled_reconcile_at="now",
    last_sync_time=TIME,
    version="3.6.0",
    distribution="opensearch",
    cluster_name="search",
    cluster_uuid="u",
    endpoint="https://opensearch.example:9200",
    capabilities=["AutoDeploy"],
    used_by=ConnectionUsers(connectors=1, models=2, groups=3),
    orphans=[Orphan(kind="model", id="o", name="lost", since=TIME)],
    orphan_count=1,
    retained=["8f6b3a52-5d0e-4f0e-9d38-0d1c5a3f7b11", "adopted"],
)
STATUSES: dict[str, StatusBase] = {
    "OpenSearchConnection": CONNECTION,
    "ClusterOpenSearchConnection": CONNECTION,
    "MLModelGroup": MLModelGroupStatus(**MANAGED, spec_hash="0a"),
    "MLConnector": MLConnectorStatus(
        **MANAGED,
        revision=2,
        live_revision=1,
        models_held_since=TIME,
        candidate=Candidate(id="new", revision=2, spec_hash="0a", credential_revision="uid/6"),
        trial=Trial(revision=2, model_group_id="g", model_id="m"),
        previous=[PreviousConnector(id="old", since=TIME)],
        credential_revision="uid/5",
        spec_hash="0a",
        used_by_models=1,
    ),
    "RemoteModel": RemoteModelStatus(
        **MANAGED,
        connection="main",
        connection_kind="ClusterOpenSearchConnection",
        connector_id="c",
        model_group_id="g",
        owned_group_id="g",
        model_version="1",
        state="DEPLOYED",
        workers=Workers(planned=3, current=3),
        last_deployed_at=TIME,
        connector_changed_at=TIME,
        tasks=[
            Task(type="Deploy", id="t", state="FAILED", started_at=TIME, finished_at=TIME, error="no"),
        ],
        healing=HealingStatus(attempts=1, window_start=TIME, next_attempt_time=TIME),
        probe=ProbeStatus(
            last_time=TIME, last_success_time=TIME, latency_ms=1, dimension=0, message="yes", hash="0a"
        ),
        spec_hash="0a",
        export=ExportID(kind="Secret", name="exported", key="id"),
        extra_fields=["tenant"],
    ),
    "MLClusterSettings": MLClusterSettingsStatus(
        pending_changes=[PendingChange(path="plugins.ml_commons.a", from_="1", to="2")],
        observed_generation=1,
        conditions=[READY],
        last_handled_reconcile_at="now",
        last_sync_time=TIME,
        previous={
            "plugins.ml_commons.a": PreviousValue(),
            "plugins.ml_commons.b": PreviousValue(value="true"),
            "plugins.ml_commons.c": PreviousValue(values=["data", "ml"]),
        },
        trusted_endpoints=AddedEndpoints(default=True, before=["^a$"], added=["^b$"]),
        unclear_since=TIME,
    ),
}


def unset(model: Model, path: str) -> list[str]:
    """Return the fields that an example leaves out."""
    missing = [f"{path}.{name}" for name in type(model).model_fields if name not in model.model_fields_set]
    for name, value in model:
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, Model):
                missing += unset(child, f"{path}.{name}")
    return missing


@every_kind
def test_the_server_keeps_every_field_of_a_status(api: Api, info: KindInfo) -> None:
    answer = api.write_status(api.create(info.kind, spec_of(info.kind, {})), STATUSES[info.kind])

    assert unset(STATUSES[info.kind], "status") == ["status.conditions.message"]
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == STATUSES[info.kind].to_body()
    assert info.status.model_validate(answer.json()["status"]) == STATUSES[info.kind]


def test_server_side_apply_empties_a_map(api: Api) -> None:
    action = {"type": "predict", "method": "POST", "url": "https://example.com/", "headers": {"X-First": "1"}}
    spec = {"connectionRef": {"name": "main"}, "parameters": {"size": [1, 2]}, "actions": [action]}
    api.apply("MLConnector", spec, "emptied")
    answer = api.apply(
        "MLConnector", {**spec, "parameters": {}, "actions": [{**action, "headers": {}}]}, "emptied"
    )
    assert answer["spec"].get("parameters", {}) == {}
    assert answer["spec"]["actions"][0].get("headers", {}) == {}


def test_a_wrong_status_is_refused(api: Api) -> None:
    unreal = READY.model_copy(update={"last_transition_time": "yesterday"})

    current = api.create("RemoteModel", spec_of("RemoteModel", {}))
    answer = api.write_status(current, ManagedStatus(conditions=[unreal]))

    assert answer.status_code == 422
    assert "date-time" in answer.text


@every_kind
def test_kubectl_shows_an_object_with_a_long_name_in_one_line(
    api: Api, control_plane: ControlPlane, info: KindInfo
) -> None:
    direct = "connection_ref" in info.spec.model_fields and info.kind != "RemoteModel"
    changes = {"connectionRef": {"name": "c" * 20}} if direct else {}
    name = "n" * 40
    current = api.create(info.kind, spec_of(info.kind, changes), name)
    api.write_status(current, STATUSES[info.kind]).raise_for_status()

    header, row = control_plane.run_kubectl("get", info.short_name, name, "-n", api.namespace).splitlines()

    shown = [column.name for column in info.columns if not column.wide]
    assert header.split() == ["NAME", *shown]
    assert row.split()[:3] == [name, "True", "Succeeded"]
    assert "<invalid>" not in row
    assert len(header) < 120
    assert len(row) < 120


def test_all_kinds_are_listed_together(api: Api, control_plane: ControlPlane) -> None:
    for info in KINDS:
        api.create(info.kind, spec_of(info.kind, {}), "one-of-each")

    names = control_plane.run_kubectl("get", "opensearch-ml", "-n", api.namespace, "-o", "name").split()

    assert {f"{info.singular}.{GROUP}/one-of-each" for info in KINDS} <= set(names)


def test_objects_are_found_by_what_they_refer_to(api: Api) -> None:
    for name, policy in (("one", "Delete"), ("two", "Retain")):
        spec = spec_of("RemoteModel", {"connectorRef": {"name": name}, "deletionPolicy": policy})
        api.create("RemoteModel", spec, name)

    def found(selector: str) -> list[str]:
        answer = api.client.get(api.path("RemoteModel"), params={"fieldSelector": selector})
        return [item["metadata"]["name"] for item in answer.raise_for_status().json()["items"]]

    assert found("spec.connectorRef.name=two") == ["two"]
    assert found("spec.deletionPolicy=Delete") == ["one"]
    assert found("spec.deletionPolicy=Retain") == ["two"]


def test_kubectl_explains_the_fields(control_plane: ControlPlane, api: Api) -> None:  # noqa: ARG001
    text = control_plane.run_kubectl("explain", "remotemodel.spec.healing.maxAttempts")

    assert "Attempts within one window; after them a person must act." in text
