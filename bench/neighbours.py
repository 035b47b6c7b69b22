"""Many connections side by side: what those that are well lose by one that is dead and one that is slow."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.figures import Figures
from bench.usage import usage
from bench.watching import Watch
from stack.operator_process import OperatorProcess
from support.live_stage import Stage


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Connections to one server, with some sets on each; `bad` are the endpoints of two more."""

    stage: Stage
    operator: OperatorProcess
    connections: int
    sets: int
    bad: Sequence[str] = ()

    def create(self) -> Figures:
        """Apply everything at once, and wait until the models of the good connections are Ready."""
        sets = self.stage.sets
        good = [f"good-{number:03}" for number in range(self.connections)]
        bad = [f"bad-{number}" for number, _ in enumerate(self.bad)]
        documents = [document for name in good for document in sets.connection(name)]
        for name, endpoint in zip(bad, self.bad, strict=True):
            documents += sets.connection(name, endpoints=[endpoint])
        owners = [
            (f"{connection}-{number}", connection)
            for number in range(self.sets)
            for connection in (*bad, *good)
        ]
        documents += [
            each for name, connection in owners for each in sets.one_set(name, connection=connection)
        ]
        wanted = {name for name, connection in owners if connection in good}
        before = usage(self.operator.server.pid)
        with Watch(self.stage.kube, "RemoteModel").running() as models:
            began = time.monotonic()
            self.stage.kube.apply(sets.key(), *documents)
            models.until(lambda: wanted <= models.ready_at.keys())
            latencies = [models.ready_at[name] - began for name in wanted]
        after = usage(self.operator.server.pid)
        beside = f"beside {len(bad)} bad ones" if bad else "alone"
        return Figures(
            driver=f"{self.connections} connections {beside}",
            step="create",
            sets=len(wanted),
            wall=max(latencies),
            requests={},
            cpu=after.cpu - before.cpu,
            memory=after.memory,
            peak=after.peak,
            latencies=latencies,
        )
