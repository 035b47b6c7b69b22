"""The operator's side: the same steps by way of the API server, and what they cost the operator."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Final

from bench.figures import Figures
from bench.usage import Servers, Usage, usage
from bench.watching import SECONDS, Watch
from stack.operator_process import OperatorProcess
from support.live_kube import MERGE_PATCH, Document
from support.live_metrics import is_idle, kubernetes_writes, opensearch_requests, runs
from support.live_stage import Stage
from support.live_waiting import until

WRITERS: Final = 8
"""Requests to the API server side by side, as kubectl or a GitOps controller has them."""
QUIET: Final = 0.5
"""Seconds of which the operator must work less than a half, or it is not worth asking whether it rests."""
SET: Final = ("RemoteModel", "MLConnector", "MLModelGroup")
"""The kinds of a set, in the order in which they are deleted."""


@dataclass(slots=True)
class OperatorDriver:
    """Has an operator make sets in one namespace; `label` is its name in the table."""

    stage: Stage
    operator: OperatorProcess
    servers: Servers
    interval: int = 30
    """Seconds from one resync to the next; the API takes no less."""
    label: str = "operator"
    names: list[str] = field(default_factory=list)

    def create(self, count: int) -> Figures:
        """Apply that many sets at once, and wait until the last model is Ready."""
        self.names = [f"set-{number:05}" for number in range(count)]
        applied: dict[str, float] = {}

        def apply(name: str) -> None:
            applied[name] = time.monotonic()
            for document in self.stage.sets.one_set(name):
                document["spec"]["resyncInterval"] = f"{self.interval}s"
                self._write("POST", document["kind"], "", document)

        def act() -> list[float]:
            with Watch(self.stage.kube, "RemoteModel").running() as models:
                _side_by_side(apply, self.names)
                models.until(lambda: len(models.ready_at) == count)
                return [models.ready_at[name] - applied[name] for name in self.names]

        return self._measure("create", act)

    def resync(self) -> Figures:
        """Let one interval pass in which nothing changes."""
        return self._measure("resync", lambda: time.sleep(self.interval))

    def edit(self) -> Figures:
        """Change the description of every model."""

        def change(name: str) -> None:
            self._write("PATCH", "RemoteModel", name, {"spec": {"description": "changed"}})

        with Watch(self.stage.kube, "RemoteModel").running() as models:
            models.until(lambda: len(models.ready_at) == len(self.names))

            def act() -> None:
                began = time.monotonic()
                _side_by_side(change, self.names)
                models.until(lambda: sum(at > began for at in models.ready_at.values()) == len(self.names))

            return self._measure("edit", act)

    def rotate(self) -> Figures:
        """Change the key that every connector has, and wait until every model has another connector."""
        old = self._connectors()

        def look(name: str) -> None:
            marks = {"opensearchml.io/reconcile-requested-at": "rotated"}
            self._write("PATCH", "MLConnector", name, {"metadata": {"annotations": marks}})

        def rotated() -> bool:
            new = self._connectors()
            return all(new[name] != old[name] for name in self.names)

        def act() -> None:
            self.stage.kube.apply(self.stage.sets.key("Canary-7f3a-rotated"))
            _side_by_side(look, self.names)
            until(rotated, seconds=SECONDS, poll=0.25)

        return self._measure("rotate", act)

    def drift(self) -> Figures:
        """Change every model by hand, and from then on wait until every one is put back."""
        models = [each["status"]["id"] for each in self.stage.kube.list("RemoteModel")]
        remote, by_hand = self.stage.remote, {"description": "changed by hand"}
        _side_by_side(lambda model: remote.change(model, by_hand), models)

        def put_back() -> bool:
            found = remote.find("models", f"{self.stage.kube.namespace} ").values()
            return all(each["description"] != by_hand["description"] for each in found)

        def put_back_all() -> None:
            until(put_back, seconds=SECONDS, poll=1)

        return self._measure("drift", put_back_all)

    def restart(self) -> Figures:
        """Start the operator again, and wait until it has looked at everything and rests."""
        self.operator.stop()
        servers = self.servers.cpu()
        began = time.monotonic()
        self.operator.start()
        objects = len(SET) * len(self.names) + 1

        def rested() -> tuple[float, _Look] | None:
            """Ask only who seems to rest: with thousands of objects the answer takes a second and more."""
            before = usage(self.operator.server.pid).cpu
            time.sleep(QUIET)
            wall = time.monotonic() - began
            if usage(self.operator.server.pid).cpu - before > QUIET / 2:
                return None
            after = self._look()
            return (wall, after) if runs(self.operator) == objects and is_idle(self.operator) else None

        wall, after = until(rested, seconds=SECONDS)
        nothing = _Look(Usage(cpu=0, memory=0, peak=0), servers, Counter(), Counter())
        return self._figures("restart", wall, nothing, after)

    def delete(self) -> Figures:
        """Delete every set at once, and wait until the last is gone."""

        def act() -> None:
            for kind in SET:
                path = self.stage.kube.path(kind)
                self.stage.kube.client.delete(path, timeout=60).raise_for_status()
            until(lambda: not any(map(self._is_left, SET)), seconds=SECONDS, poll=0.25)

        return self._measure("delete", act)

    def _is_left(self, kind: str) -> bool:
        answer = self.stage.kube.client.get(self.stage.kube.path(kind), params={"limit": 1})
        return bool(answer.raise_for_status().json()["items"])

    def _connectors(self) -> dict[str, str]:
        """Return the connector in OpenSearch that each model is shown to call."""
        models = self.stage.kube.list("RemoteModel")
        return {each["metadata"]["name"]: each["status"]["connectorID"] for each in models}

    def _measure(self, step: str, act: Callable[[], Sequence[float] | None]) -> Figures:
        look = self._look()
        # To be asked costs the operator something too, and is not what is measured.
        before = replace(look, usage=usage(self.operator.server.pid), servers=self.servers.cpu())
        began = time.monotonic()
        latencies = act() or ()
        wall = time.monotonic() - began
        return self._figures(step, wall, before, self._look(), latencies)

    def _figures(
        self, step: str, wall: float, before: _Look, after: _Look, latencies: Sequence[float] = ()
    ) -> Figures:
        return Figures(
            driver=self.label,
            step=step,
            sets=len(self.names),
            wall=wall,
            requests=dict(after.requests - before.requests),
            cpu=after.usage.cpu - before.usage.cpu,
            memory=after.usage.memory,
            peak=after.usage.peak,
            writes=dict(after.writes - before.writes),
            servers={name: cpu - before.servers[name] for name, cpu in after.servers.items()},
            latencies=latencies,
        )

    def _look(self) -> _Look:
        return _Look(
            usage(self.operator.server.pid),
            self.servers.cpu(),
            opensearch_requests(self.operator, self.stage.kube.namespace),
            kubernetes_writes(self.operator),
        )

    def _write(self, method: str, kind: str, name: str, body: Document) -> None:
        path = self.stage.kube.path(kind, name)
        headers = MERGE_PATCH if method == "PATCH" else {"Content-Type": "application/json"}
        answer = self.stage.kube.client.request(method, path, content=json.dumps(body), headers=headers)
        answer.raise_for_status()


@dataclass(frozen=True, slots=True)
class _Look:
    """Between two of these a step is measured."""

    usage: Usage
    servers: dict[str, float]
    requests: Counter[str]
    writes: Counter[str]


def _side_by_side(act: Callable[[str], None], names: Sequence[str]) -> None:
    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(act, names))
