"""The steps of the demo. Each shows one thing, and raises NotSeenError when it is not to be seen."""

from __future__ import annotations

import contextlib
import json
import random
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import httpx

from demo import progress
from demo.kubectl import Kubectl, Resource, is_ready
from demo.quickstart import CONNECTION, CONNECTOR, GROUP, KEY_SECRET, MODEL, NAMESPACE, Quickstart, new_key
from demo.remote import Inventory, take_inventory
from demo.screen import NotSeenError, Screen, Step
from demo.search import DOCUMENTS, QUERIES, DirectSearch, Found, NeuralSearch, Search
from stack import versions
from stack.modelserver.client import ModelServer
from stack.opensearch_node import OpenSearch

API_GROUP: Final = "opensearchml.io"
RECONCILE_ANNOTATION: Final = f"{API_GROUP}/reconcile-requested-at"
ALL: Final = (CONNECTION, CONNECTOR, GROUP, MODEL)
READY_SECONDS = 60.0
GONE_SECONDS = 120.0


@dataclass(slots=True)
class Scenario:
    """One run against one OpenSearch; its steps are taken in the order in which they stand here."""

    screen: Screen
    kubectl: Kubectl
    node: OpenSearch
    model_server: ModelServer
    quickstart: Quickstart
    application: httpx.Client
    before: Inventory
    """What was in OpenSearch before."""
    chance: random.Random

    def apply(self) -> list[Path]:
        """Apply the manifests; return their files."""
        files = self.quickstart.write()
        self.model_server.accept_keys([self.quickstart.key])
        with self.screen.step("$ kubectl apply -f quickstart/") as step:
            applied = self.kubectl.apply(self.quickstart.folder)
            step.detail(", ".join(name.replace(f".{API_GROUP}", "") for name in applied))
            step.seen = f"{len(applied)} objects accepted"
        return files

    def become_ready(self) -> str:
        """Watch the model until it is Ready; return its id in OpenSearch."""
        with self.screen.step(f"$ kubectl get {MODEL} --watch") as step:
            model = self._watch_until_ready(step)
            for resource in ALL:
                self.kubectl.wait_until(
                    f"{resource} to be Ready", partial(self._is_ready, resource), resource
                )
            for resource in ALL:  # one by one: together, kubectl puts the kind into each name
                for line in self.kubectl.run("get", *resource.split("/")).splitlines():
                    step.detail(line)
            step.seen = "connection, connector, group and model are Ready"
        model_id: str = model["status"]["id"]
        return model_id

    def find(self, search: Search) -> dict[str, list[Found]]:
        """Load the documents and ask for them by meaning; return what was found for each query."""
        answers = {}
        with self.screen.step(f"Search by meaning: {search.how}") as step:
            search.load()
            for query, topic in QUERIES.items():
                answers[query] = found = search.find(query)
                best = " | ".join(f"{each.score:.2f} {each.text}" for each in found)
                step.detail(f"“{query}” → {best}")
                if {DOCUMENTS[each.text] for each in found} != {topic}:
                    raise NotSeenError(f"documents about {topic} for the query “{query}”", MODEL)
            step.seen = (
                f"{len(DOCUMENTS)} documents, {len(QUERIES)} queries without a word in common with them"
            )
        return answers

    def rotate(self, search: Search) -> set[str]:
        """Change the provider's key in its Secret; return the keys that the next prediction carried."""
        new = new_key()
        with self.screen.step(f"$ kubectl patch {KEY_SECRET} …: a new key for the model's provider") as step:
            before = self.kubectl.get(MODEL)["status"]
            self.model_server.accept_keys(
                [self.quickstart.key, new]
            )  # as providers do while a key is rotated
            patch = json.dumps({"stringData": {"key": new}})
            self.kubectl.run("patch", KEY_SECRET, "--patch", patch)
            step.detail(
                f"$ kubectl annotate {CONNECTOR} {RECONCILE_ANNOTATION}=…: not only at the next resync"
            )
            now = self.kubectl.get(KEY_SECRET)["metadata"]["resourceVersion"]
            self.kubectl.run("annotate", "--overwrite", CONNECTOR, f"{RECONCILE_ANNOTATION}={now}")
            self.kubectl.wait_until(
                f"{MODEL} to move from connector {before['connectorID']} to a new one",
                lambda: self._moved_from(before["connectorID"]),
                CONNECTOR,
                MODEL,
            )
            after = self.kubectl.get(MODEL)["status"]
            step.moment(
                f"connector {before['connectorID']} → {after['connectorID']}, model {after['id']} stays"
            )
            if after["id"] != before["id"]:
                raise NotSeenError(f"the model to keep its id {before['id']}", MODEL)
            self.model_server.accept_keys([new])
            self.model_server.forget_requests()
            search.find(next(iter(QUERIES)))
            sent = {each.headers.get("Authorization", "") for each in self.model_server.requests()}
            if sent != {f"Bearer {new}"}:
                raise NotSeenError("the next prediction to carry the new key and no other", CONNECTOR, MODEL)
            step.seen = "the next prediction carried the new key; the provider refuses the old one"
        return sent

    def delete(self, files: list[Path]) -> Inventory:
        """Delete everything in a random order; return what is left in OpenSearch."""
        order = self.chance.sample(files, len(files))
        with self.screen.step("$ kubectl delete -f FILE, for each file, in random order") as step:
            step.detail(", ".join(file.stem for file in order))
            for file in order:
                self.kubectl.run("delete", "--wait=false", "--ignore-not-found", "--filename", str(file))
            self.kubectl.wait_until(
                "everything to be gone from Kubernetes",
                lambda: not self.kubectl.exists(f"namespace/{NAMESPACE}"),
                *ALL,
                seconds=GONE_SECONDS,
            )
            with self.node.client() as administrator:
                left = take_inventory(administrator) - self.before
            step.detail(f"left in OpenSearch, as its administrator sees it: {left}")
            if not left.is_empty:
                raise NotSeenError("OpenSearch to be as empty as before")
            step.seen = "gone from Kubernetes, and nothing left in OpenSearch"
        return left

    def run(self) -> None:
        """Take all steps."""
        files = self.apply()
        search = self.search(self.become_ready())
        self.find(search)
        self.rotate(search)
        search.remove()
        self.delete(files)

    def search(self, model_id: str) -> Search:
        """Return the search that this OpenSearch has the plugins for."""
        if self.node.version == versions.OPENSEARCH_3:
            return NeuralSearch(self.application, model_id)
        return DirectSearch(self.application, model_id)

    def _watch_until_ready(self, step: Step) -> Resource:
        told: dict[str, str] = {}
        with contextlib.closing(self.kubectl.watch(MODEL, seconds=READY_SECONDS)) as states:
            for model in states:
                facts = progress.facts(model)
                if news := progress.changes(told, facts):
                    step.moment(news)
                told = facts
                if is_ready(model):
                    return model
        raise NotSeenError(f"{MODEL} to become Ready within {READY_SECONDS:.0f} s", *ALL)

    def _is_ready(self, resource: str) -> bool:
        return is_ready(self.kubectl.get(resource))

    def _moved_from(self, connector_id: str) -> bool:
        wanted = self.kubectl.get(CONNECTOR)["status"]["id"]
        return bool(wanted != connector_id and self.kubectl.get(MODEL)["status"]["connectorID"] == wanted)
