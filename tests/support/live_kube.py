"""A namespace of the real API server from a test's side."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from opensearch_ml_operator.constants import API_VERSION
from opensearch_ml_operator.models.kinds import KINDS, kinds
from stack.controlplane import ControlPlane
from support.live_waiting import until

Document = dict[str, Any]

CLUSTER = "ClusterOpenSearchConnection"
PATHS = {kind.kind: f"/apis/{API_VERSION}|{kind.plural}" for kind in KINDS} | {
    "Secret": "/api/v1|secrets",
    "ConfigMap": "/api/v1|configmaps",
    "Event": "/api/v1|events",
}
OURS = tuple(kind.kind for kind in kinds(cluster_wide=False))
"""Our kinds that are in a namespace."""
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}
APPLY_PATCH = {"Content-Type": "application/apply-patch+yaml"}


@dataclass(frozen=True, slots=True)
class Kube:
    """One namespace, with the administrator's rights."""

    client: httpx.Client
    control_plane: ControlPlane
    namespace: str

    def path(self, kind: str, name: str = "") -> str:
        """Return the address of an object, or of all of a kind."""
        group, plural = PATHS[kind].split("|")
        where = "" if kind == CLUSTER else f"/namespaces/{self.namespace}"
        return f"{group}{where}/{plural}/{name}".rstrip("/")

    def apply(self, *documents: Document) -> None:
        """Apply server-side, one after the other."""
        for document in documents:
            path = self.path(document["kind"], document["metadata"]["name"])
            answer = self.client.patch(
                path,
                content=json.dumps(document),
                params={"fieldManager": "test", "force": "true"},
                headers=APPLY_PATCH,
            )
            assert answer.is_success, answer.text

    def apply_at_once(self, *documents: Document) -> None:
        """Apply one big List with kubectl, as a person does."""
        body = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
        where = ("--namespace", self.namespace, "--server-side", "--filename=-", "--output=name")
        self.control_plane.run_kubectl("apply", *where, document=json.dumps(body))

    def find(self, kind: str, name: str) -> Document | None:
        """Return an object; None when there is none."""
        answer = self.client.get(self.path(kind, name))
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        found: Document = answer.raise_for_status().json()
        return found

    def get(self, kind: str, name: str) -> Document:
        """Return an object that is there."""
        found = self.find(kind, name)
        assert found is not None, f"{kind} {name} is not there"
        return found

    def list(self, kind: str) -> list[Document]:
        """Return all objects of a kind."""
        items: list[Document] = self.client.get(self.path(kind)).raise_for_status().json()["items"]
        return items

    def patch(self, kind: str, name: str, change: Mapping[str, Any], *, subresource: str = "") -> None:
        """Merge a change into an object, or into its `/status`."""
        path = self.path(kind, name) + subresource
        self.client.patch(path, content=json.dumps(change), headers=MERGE_PATCH).raise_for_status()

    def delete(self, kind: str, name: str) -> None:
        """Ask for the deletion of an object, and wait for nothing."""
        self.client.delete(self.path(kind, name)).raise_for_status()

    def touch(self, kind: str, name: str, mark: str) -> None:
        """Ask the operator to look at an object now."""
        annotations = {"opensearchml.io/reconcile-requested-at": mark}
        self.patch(kind, name, {"metadata": {"annotations": annotations}})

    def versions(self) -> dict[tuple[str, str], str]:
        """Return the resourceVersion of each object of our kinds."""
        return {
            (kind, each["metadata"]["name"]): each["metadata"]["resourceVersion"]
            for kind in OURS
            for each in self.list(kind)
        }

    def mark(self, kind: str) -> str:
        """Return the point in time from which `changes` counts."""
        version: str = (
            self.client.get(self.path(kind)).raise_for_status().json()["metadata"]["resourceVersion"]
        )
        return version

    def changes(self, kind: str, since: str) -> Counter[str]:
        """Count the writes that changed each object of a kind since the mark, its creation left out.

        The API server tells its history to a watch that begins in the past.
        """
        params = {"watch": "1", "resourceVersion": since, "timeoutSeconds": "1"}
        lines = self.client.get(self.path(kind), params=params).raise_for_status().text.splitlines()
        events = [json.loads(line) for line in lines]
        assert all(event["type"] != "ERROR" for event in events), events
        return Counter(event["object"]["metadata"]["name"] for event in events if event["type"] == "MODIFIED")

    def until_ready(self, kind: str, name: str, *, seconds: float = 30.0) -> Document:
        """Return the object once it is Ready for its newest generation."""
        return self.until(kind, name, is_ready, seconds=seconds)

    def until_reason(self, kind: str, name: str, reason: str, *, seconds: float = 30.0) -> str:
        """Return the message of Ready once it is False for this reason."""

        def failed(found: Document) -> bool:
            ready = condition(found, "Ready")
            return (ready.get("status"), ready.get("reason")) == ("False", reason)

        message: str = condition(self.until(kind, name, failed, seconds=seconds), "Ready")["message"]
        return message

    def until(
        self, kind: str, name: str, check: Callable[[Document], bool], *, seconds: float = 30.0
    ) -> Document:
        """Return the object once it is as wanted."""
        found: Document = {}

        def look() -> bool:
            found.clear()
            found.update(self.get(kind, name))
            return check(found)

        until(look, seconds=seconds, told=lambda: (kind, name, found.get("status")))
        return found

    def until_gone(self, *objects: tuple[str, str], seconds: float = 60.0) -> None:
        """Wait until none of the objects is there any more."""

        def left() -> list[Document]:
            found = [self.find(kind, name) for kind, name in objects]
            return [each for each in found if each is not None]

        def told() -> list[object]:
            return [(each["kind"], each["metadata"], each.get("status")) for each in left()]

        until(lambda: not left(), seconds=seconds, told=told)

    def until_empty(self, *, seconds: float = 60.0) -> None:
        """Wait until there is no object of our kinds any more."""

        def left() -> list[Document]:
            return [each for kind in OURS for each in self.list(kind)]

        def told() -> list[object]:
            return [(each["metadata"]["name"], each.get("status")) for each in left()]

        until(lambda: not left(), seconds=seconds, told=told)

    def delete_all(self, *, seconds: float = 60.0) -> None:
        """Delete all objects of our kinds at once and wait until they are gone."""
        for kind in OURS:
            self.client.delete(self.path(kind)).raise_for_status()
        self.until_empty(seconds=seconds)


@contextmanager
def open_namespace(control_plane: ControlPlane, name: str) -> Iterator[Kube]:
    """Make a namespace, or take the one that is there. It stays: a test empties it."""
    with control_plane.client() as client:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        path = f"/api/v1/namespaces/{name}"
        client.patch(
            path, content=json.dumps(body), params={"fieldManager": "test"}, headers=APPLY_PATCH
        ).raise_for_status()
        yield Kube(client, control_plane, name)


def condition(found: Document, type_: str) -> Document:
    """Return a condition of an object; empty when it has none of this type."""
    conditions: list[Document] = found.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == type_), {})


def is_ready(found: Document) -> bool:
    """Tell whether an object is Ready for its newest generation."""
    ready = condition(found, "Ready")
    newest: int = found["metadata"]["generation"]
    return ready.get("status") == "True" and ready.get("observedGeneration") == newest
