"""What a live test acts on: a namespace, an OpenSearch node, and the documents that fit both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from stack import versions
from stack.local import Stack
from stack.modelserver.client import ModelServer
from support.live_kube import Kube, open_namespace
from support.live_remote import Remote, open_remote
from support.live_sets import Sets
from support.live_waiting import until

NOTHING = {"models": 0, "connectors": 0, "model_groups": 0}


@dataclass(frozen=True, slots=True)
class Stage:
    """One test's own part of the servers."""

    stack: Stack
    kube: Kube
    remote: Remote
    sets: Sets

    @property
    def model_server(self) -> ModelServer:
        """The server that the models call."""
        return self.stack.model_server

    def connect(self) -> None:
        """Apply the connection and the key, and wait until the connection is Ready."""
        self.kube.apply(*self.sets.connection(), self.sets.key())
        self.kube.until_ready("OpenSearchConnection", "main")

    def perform(self, name: str) -> str:
        """Apply a whole set, wait until it is Ready, and return the model's id."""
        self.kube.apply(*self.sets.one_set(name))
        return self.ready(name)

    def ready(self, name: str, *, seconds: float = 30.0) -> str:
        """Wait until a set is Ready, and return the model's id."""
        for kind in ("MLModelGroup", "MLConnector"):
            self.kube.until_ready(kind, name, seconds=seconds)
        model_id: str = self.kube.until_ready("RemoteModel", name, seconds=seconds)["status"]["id"]
        return model_id

    def left(self) -> dict[str, int]:
        """Count what is in OpenSearch of this test."""
        return self.remote.count(self.kube.namespace)

    def until_nothing_is_left(self) -> None:
        """Wait until nothing of this test is in OpenSearch: a search may be a second late."""
        until(lambda: self.left() == NOTHING, seconds=10, told=self.left)


@contextmanager
def open_stage(
    stack: Stack, namespace: str, version: str = versions.OPENSEARCH_3, *, users: bool = True
) -> Iterator[Stage]:
    """Open a namespace against a release; the operator's user is there (with `users`), an operator is not."""
    node = stack.opensearch(version)
    sets = Sets(node, stack.model_server, namespace)
    if users:
        sets.allow_operator()
    with open_namespace(stack.control_plane, namespace) as kube, open_remote(node) as remote:
        yield Stage(stack, kube, remote, sets)
