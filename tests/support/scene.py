"""A small world for component tests: both fakes, the operator between them, and what users put into it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opensearch_ml_operator.models.kinds import KINDS

from .eventually import eventually
from .fake_kube import FakeKube
from .fake_mlcommons import FakeMLCommons
from .operator_in_process import Clock, OperatorInProcess

Body = dict[str, Any]

SPEED = 10.0
"""How many seconds of the operator go into one of the test."""
CLUSTER_CONNECTIONS = "clusteropensearchconnections"
CONNECTIONS, GROUPS, CONNECTORS, MODELS = (
    "opensearchconnections",
    "mlmodelgroups",
    "mlconnectors",
    "remotemodels",
)
PLURALS = tuple(kind.plural for kind in KINDS)
URL = "http://127.0.0.1:9/v1/embeddings"
ADMIN = {"username": "admin", "password": "password-of-admin"}


@dataclass(slots=True)
class Scene:
    """What tests act on. All names are in one namespace unless they say another."""

    kube: FakeKube
    ml: FakeMLCommons
    operator: OperatorInProcess
    namespace: str = "team"
    _requests: itertools.count[int] = field(default_factory=itertools.count)

    # What users do

    def secret(self, name: str, **data: str) -> None:
        """Create a Secret, or give it other data."""
        if self.kube.get("secrets", name, self.namespace) is None:
            self.kube.create("secrets", {"metadata": {"name": name}, "stringData": data}, self.namespace)
            return
        self.kube.delete("secrets", name, self.namespace)
        self.kube.create("secrets", {"metadata": {"name": name}, "stringData": data}, self.namespace)

    def create(self, plural: str, name: str, spec: Mapping[str, Any]) -> Body:
        """Create one of our objects."""
        return self.kube.create(plural, {"metadata": {"name": name}, "spec": dict(spec)}, self.namespace)

    def connection(self, name: str = "main", **spec: Any) -> None:
        """Create a connection to the fake; patient, because the operator's time flies."""
        auth = {}
        if self.ml.cluster.users:
            self.secret(f"{name}-login", **ADMIN)
            auth = {"auth": {"basic": {"secretRef": {"name": f"{name}-login"}}}}
        patience = {"timeout": {"connect": "1m", "read": "5m"}}
        self.create(CONNECTIONS, name, {"endpoints": [self.ml.url], **auth, **patience, **spec})

    def group(self, name: str = "group", **spec: Any) -> None:
        """Create a group."""
        self.create(GROUPS, name, {"connectionRef": {"name": "main"}, **spec})

    def connector(self, name: str = "connector", **spec: Any) -> None:
        """Create a connector with a credential from the Secret `key`."""
        self.create(CONNECTORS, name, connector_spec(**spec))

    def model(self, name: str = "model", **spec: Any) -> None:
        """Create a model of the connector, in the group."""
        spec = {"connectorRef": {"name": "connector"}, "modelGroupRef": {"name": "group"}, **spec}
        self.create(MODELS, name, {key: value for key, value in spec.items() if value is not None})

    def everything(self) -> None:
        """Create one object of each kind, and what they need; the last first, as `kubectl` may well do."""
        self.model()
        self.connector()
        self.group()
        self.secret("key", token="value-of-the-credential")
        self.connection()

    def edit(self, plural: str, name: str, **spec: Any) -> None:
        """Change fields of a spec; None removes one."""
        self.kube.patch_spec(plural, name, spec, self.namespace)

    def replace(self, plural: str, name: str, spec: Mapping[str, Any]) -> None:
        """Give an object another spec, as a change of its manifest does."""
        self.kube.replace_spec(plural, name, spec, self.namespace)

    def delete(self, plural: str, name: str) -> None:
        """Ask for the deletion of one object."""
        self.kube.delete(plural, name, self.namespace)

    def delete_everything(self) -> None:
        """Ask for the deletion of all of our objects."""
        for plural in PLURALS:
            for body in self.kube.objects(plural):
                metadata = body["metadata"]
                self.kube.delete(plural, metadata["name"], metadata.get("namespace", ""))

    def look_again(self, plural: str, name: str) -> None:
        """Ask for a reconcile, as a person does."""
        value = f"request-{next(self._requests)}"
        self.kube.annotate(plural, name, {"opensearchml.io/reconcile-requested-at": value}, self.namespace)

    # What users see

    def get(self, plural: str, name: str) -> Body:
        """Read an object that must exist."""
        body = self.kube.get(plural, name, self.namespace)
        assert body is not None, f"{plural} {name} does not exist"
        return body

    def status(self, plural: str, name: str) -> Body:
        """Read the status of an object."""
        return dict(self.get(plural, name)["status"])

    def condition(self, plural: str, name: str, type_: str = "Ready") -> Body:
        """Read a condition; empty when it is not there."""
        found = self.status(plural, name).get("conditions", [])
        return next((condition for condition in found if condition["type"] == type_), {})

    def is_ready(self, plural: str, name: str) -> bool:
        """Whether the object, as it is now, is Ready."""
        body = self.get(plural, name)
        ready = self.condition(plural, name)
        generation = body["metadata"]["generation"]
        return ready.get("status") == "True" and ready.get("observedGeneration") == generation

    def all_ready(self) -> bool:
        """Whether every object is Ready."""
        return all(
            self.is_ready(plural, body["metadata"]["name"])
            for plural in PLURALS
            for body in self.kube.objects(plural)
        )

    def summary(self) -> dict[str, tuple[str, str, str]]:
        """Say how all objects are, for the message of a failed test."""
        seen = {}
        for plural in PLURALS:
            for body in self.kube.objects(plural):
                name = body["metadata"]["name"]
                ready = self.condition(plural, name)
                seen[f"{plural}/{name}"] = (
                    ready.get("status", "?"),
                    ready.get("reason", "?"),
                    ready.get("message", ""),
                )
        return seen

    async def ready(self, *, seconds: float = 15.0, every: float = 0.01) -> None:
        """Wait until every object is Ready."""
        try:
            await eventually(self.all_ready, seconds=seconds, every=every)
        except AssertionError:
            raise AssertionError(f"not Ready within {seconds} s: {self.summary()}") from None

    async def becomes(
        self, plural: str, name: str, type_: str, reason: str, *, seconds: float = 15.0
    ) -> Body:
        """Wait until a condition has a reason, and return the condition."""
        try:
            await eventually(
                lambda: self.condition(plural, name, type_).get("reason") == reason, seconds=seconds
            )
        except AssertionError:
            conditions = self.status(plural, name).get("conditions")
            raise AssertionError(f"{type_} did not become {reason}: {conditions}") from None
        return self.condition(plural, name, type_)

    async def gone(self, *, seconds: float = 15.0) -> None:
        """Wait until none of our objects is left."""
        try:
            await eventually(
                lambda: not any(self.kube.objects(plural) for plural in PLURALS), seconds=seconds
            )
        except AssertionError:
            raise AssertionError(f"still there: {self.summary()}") from None

    async def quiet(self, *, seconds: float = 10.0, for_: float = 0.3) -> None:
        """Wait until nothing has been sent to either server for a while: the operator is at rest."""
        clock = asyncio.get_running_loop().time
        last: tuple[tuple[int, int], float] = ((-1, -1), clock())

        def rests() -> bool:
            nonlocal last
            now = (sum(self.writes().values()), len(self.ml.requests))
            if now != last[0]:
                last = (now, clock())
            return clock() - last[1] >= for_

        await eventually(rests, seconds=seconds)

    # What was done

    def writes(self) -> dict[str, int]:
        """Count the writes to Kubernetes by resource, Events left out."""
        found: dict[str, int] = {}
        for (verb, resource, _), number in self.kube.counts.items():
            if verb in {"create", "update", "patch", "delete"} and resource != "events":
                found[resource] = found.get(resource, 0) + number
        return found

    def remote(self) -> tuple[int, int, int]:
        """Count the remote groups, connectors and models."""
        return len(self.ml.groups), len(self.ml.connectors), len(self.ml.models)

    @property
    def nothing_left(self) -> bool:
        """Whether OpenSearch holds nothing of ours, in memory neither."""
        return self.remote() == (0, 0, 0) and not self.ml.cluster.loaded

    def check_one_each(self) -> None:
        """Assert that the objects of `everything` have one remote object each, which their status names."""
        assert list(self.ml.groups) == [self.status(GROUPS, "group")["id"]]
        assert list(self.ml.connectors) == [self.status(CONNECTORS, "connector")["id"]]
        assert list(self.ml.models) == [self.status(MODELS, "model")["id"]]
        (model,) = self.ml.models.values()
        assert model["connector_id"] in self.ml.connectors
        assert model["model_group_id"] in self.ml.groups
        assert model["model_state"] == "DEPLOYED"
        assert "pending" not in self.status(MODELS, "model")


def connector_spec(**changes: Any) -> Body:
    """Return the spec of a connector; None removes a field."""
    spec: Body = {
        "connectionRef": {"name": "main"},
        "credentials": [{"name": "token", "secretKeyRef": {"name": "key", "key": "token"}}],
        "actions": [
            {
                "type": "predict",
                "method": "POST",
                "url": URL,
                "headers": {"Authorization": "Bearer ${credential.token}"},
                "requestBody": '{"input": ${parameters.input}}',
            }
        ],
        "parameters": {"model": "small"},
        **changes,
    }
    return {key: value for key, value in spec.items() if value is not None}


@contextlib.asynccontextmanager
async def scene(
    folder: Path,
    *,
    speed: float = SPEED,
    settings: Mapping[str, Any] | None = None,
    start: bool = True,
    **opensearch: Any,
) -> AsyncIterator[Scene]:
    """Set the scene, and end whatever of it still runs; `opensearch` is what `FakeMLCommons` takes.

    KUBECONFIG must name the file `kubeconfig` in the folder.
    """
    clock = Clock(speed)
    cluster = {"settings": {"connector.private_ip_enabled": "true"}, "new_id": _plain_ids(), **opensearch}
    async with FakeKube(now=clock.now) as kube, FakeMLCommons(**cluster) as ml:
        path = kube.kubeconfig(folder / "kubeconfig")
        operator = OperatorInProcess(path, clock, **{"quiet_period": "5s", **(settings or {})})
        made = Scene(kube, ml, operator)
        if start:
            await operator.start()
        try:
            yield made
        finally:
            if operator.running:
                await operator.crash()


def _plain_ids() -> Any:
    numbers = itertools.count(1)
    return lambda: f"id{next(numbers):018d}"
