"""The documents that a test applies: a connection, and sets of group, connector and model on it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opensearch_ml_operator.constants import API_VERSION
from stack.modelserver.client import ModelServer
from stack.opensearch_node import OpenSearch
from support.live_kube import Document

ROLE: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "deploy" / "opensearch-role" / "role.json").read_text()
)
OPERATOR = "ml-operator"
CANARY = "Canary-7f3a-"
"""All secrets of the tests begin so: whatever shows it has let a secret out."""
PASSWORD = f"{CANARY}Quiet-harbour-7-lanterns"
KEY = f"{CANARY}first-key"


@dataclass(frozen=True, slots=True)
class Sets:
    """What there is to apply in a namespace against one node; the operator's user is never the administrator.

    Names in OpenSearch begin with the namespace: group names are unique there.
    """

    node: OpenSearch
    model_server: ModelServer
    namespace: str
    username: str = OPERATOR
    password: str = field(default=PASSWORD, repr=False)

    @property
    def secured(self) -> bool:
        """Whether the node has the Security plugin."""
        return self.node.username is not None

    @property
    def url(self) -> str:
        """The model's address."""
        return f"{self.model_server.url}/v1/embeddings"

    def allow_operator(self) -> None:
        """Make the operator's user, with the role that is shipped for it."""
        if self.secured:
            self.node.create_user(self.username, self.password, self.username, ROLE)

    def connection(self, name: str = "main", **spec: Any) -> list[Document]:
        """Return a connection with all that it needs."""
        secured: dict[str, Any] = {}
        documents = []
        if self.secured:
            assert self.node.ca_file is not None
            secured = {
                "auth": {"basic": {"secretRef": {"name": f"{name}-login"}}},
                "tls": {"caRef": {"kind": "ConfigMap", "name": f"{name}-ca"}},
            }
            documents = [
                self.secret(f"{name}-login", username=self.username, password=self.password),
                self._document(
                    "v1", "ConfigMap", f"{name}-ca", data={"ca.crt": self.node.ca_file.read_text()}
                ),
            ]
        whole = {"endpoints": [self.node.url], "healthInterval": "5s", **secured, **spec}
        return [*documents, self._ours("OpenSearchConnection", name, whole)]

    def key(self, value: str = KEY, name: str = "key") -> Document:
        """Return the Secret with the key of the model server."""
        return self.secret(name, key=value)

    def connector(self, name: str, *, connection: str = "main", secret: str = "key", **spec: Any) -> Document:
        """Return a connector to the model server."""
        action = {
            "type": "predict",
            "method": "POST",
            "url": self.url,
            "headers": {"Authorization": "Bearer ${credential.key}"},
            "requestBody": '{"input": ${parameters.input}}',
        }
        whole = {
            "connectionRef": {"name": connection},
            "name": self._remote(name),
            "credentials": [{"name": "key", "secretKeyRef": {"name": secret, "key": "key"}}],
            "actions": [action],
            **spec,
        }
        return self._ours("MLConnector", name, whole)

    def group(self, name: str, *, connection: str = "main", **spec: Any) -> Document:
        """Return a model group, open to all users where there are users."""
        access = {"access": {"mode": "public"}} if self.secured else {}
        whole = {"connectionRef": {"name": connection}, "name": self._remote(name), **access, **spec}
        return self._ours("MLModelGroup", name, whole)

    def model(self, name: str, *, connector: str = "", group: str = "", **spec: object) -> Document:
        """Return a model; connector and group have its name when not given."""
        whole = {
            "connectorRef": {"name": connector or name},
            "modelGroupRef": {"name": group or name},
            "name": self._remote(name),
            **spec,
        }
        return self._ours(
            "RemoteModel", name, {key: value for key, value in whole.items() if value is not None}
        )

    def settings(self, name: str, *, connection: str = "main", **spec: Any) -> Document:
        """Return settings of the cluster."""
        return self._ours("MLClusterSettings", name, {"connectionRef": {"name": connection}, **spec})

    def one_set(self, name: str, *, connection: str = "main") -> list[Document]:
        """Return a model with its own connector and group."""
        return [
            self.group(name, connection=connection),
            self.connector(name, connection=connection),
            self.model(name),
        ]

    def secret(self, name: str, **values: str) -> Document:
        """Return a Secret."""
        return self._document("v1", "Secret", name, stringData=values)

    def _remote(self, name: str) -> str:
        return f"{self.namespace} {name}"

    def _ours(self, kind: str, name: str, spec: dict[str, Any]) -> Document:
        return self._document(API_VERSION, kind, name, spec=spec)

    def _document(self, version: str, kind: str, name: str, **content: Any) -> Document:
        metadata = {"name": name, "namespace": self.namespace}
        return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}
