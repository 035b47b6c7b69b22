"""What has no plan, measured on the real servers: how soon somebody acts, and how soon all is well again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Final

from stack import versions
from stack.local import Stack
from stack.operator_process import start_operator
from support.live_kube import Document, is_ready
from support.live_stage import Stage, open_stage
from support.live_waiting import until

KILLS: Final = 30
TAKEOVERS: Final = 10
OUTAGES: Final = 3
SETS: Final = 100
_AWAY: Final = 60.0
"""Seconds for which OpenSearch is away."""
_NAMESPACE: Final = "measured-operator"
_SECONDS: Final = 300.0


def measure(stack: Stack) -> dict[str, Any]:
    """Measure all; each figure is what it leads from, to, and the seconds of each time."""
    stack.start(opensearch=(versions.OPENSEARCH_3,), kubernetes=True, models=True)
    return {
        "restart": {
            "from": "killed alone, all ids on record and the model not deployed yet; no leader election",
            "to": "the model Ready; the start of the process is part of it",
            "seconds": list(_restarts(stack)),
        },
        "takeover": {
            "from": "leader killed, a standby waits",
            "to": "the standby creates in OpenSearch what was asked for then",
            "seconds": list(_takeovers(stack)),
        },
        "outage": {
            "from": f"OpenSearch back after {_AWAY:.0f} s",
            "to": f"{SETS} sets Ready, all of which had been changed meanwhile",
            "seconds": list(_outages(stack)),
        },
    }


def _restarts(stack: Stack) -> Iterator[float]:
    with open_stage(stack, "restart") as stage, ExitStack() as exits:
        alone = {"leaderElection": {"enabled": False}}
        how: dict[str, Any] = {"namespace": _NAMESPACE, "release": "restart", "watch": ["restart"]}
        operator = start_operator(stack, **how, values=alone)
        exits.callback(operator.kill)
        stage.connect()
        for number in range(KILLS):
            name = f"set-{number:03}"
            stage.kube.apply(stage.sets.group(name), stage.sets.connector(name))
            for kind in ("MLModelGroup", "MLConnector"):
                stage.kube.until_ready(kind, name, seconds=_SECONDS)
            stage.kube.apply(stage.sets.model(name))
            stage.kube.until("RemoteModel", name, _has_id, seconds=_SECONDS)
            seconds = _clock()
            operator.kill()
            operator.start()
            stage.kube.until_ready("RemoteModel", name, seconds=_SECONDS)
            yield seconds()
        stage.kube.delete_all()
        stage.until_nothing_is_left()


def _takeovers(stack: Stack) -> Iterator[float]:
    with open_stage(stack, "takeover") as stage, ExitStack() as exits:
        how: dict[str, Any] = {"namespace": _NAMESPACE, "release": "takeover", "watch": ["takeover"]}
        leader = start_operator(stack, **how)
        standby = start_operator(stack, **how, apply_chart=False)
        for process in (leader, standby):
            exits.callback(process.kill)
        stage.connect()
        for number in range(TAKEOVERS):
            stage.kube.apply(stage.sets.group(f"before-{number}"))
            stage.kube.until_ready("MLModelGroup", f"before-{number}", seconds=_SECONDS)
            seconds = _clock()
            leader.kill()
            stage.kube.apply(stage.sets.group(f"after-{number}"))
            there = number * 2 + 2
            until(lambda: stage.left()["model_groups"] >= there, seconds=_SECONDS, poll=0.05)  # noqa: B023
            yield seconds()
            leader.start()
            leader, standby = standby, leader
        stage.kube.delete_all()
        stage.until_nothing_is_left()


def _outages(stack: Stack) -> Iterator[float]:
    with open_stage(stack, "outage") as stage, ExitStack() as exits:
        operator = start_operator(stack, namespace=_NAMESPACE, release="outage", watch=["outage"])
        exits.callback(operator.kill)
        stage.connect()
        names = [f"set-{number:03}" for number in range(SETS)]
        stage.kube.apply(*(document for name in names for document in stage.sets.one_set(name)))
        _all_ready(stage)
        for number in range(OUTAGES):
            stage.remote.node.stop()
            for name in names:
                change = {"spec": {"description": f"Changed while OpenSearch was away, {number}"}}
                stage.kube.patch("RemoteModel", name, change)
            time.sleep(_AWAY)
            stage.remote.node.start()
            seconds = _clock()
            _all_ready(stage)
            yield seconds()
        stage.kube.delete_all(seconds=_SECONDS)
        stage.until_nothing_is_left()


def _has_id(model: Document) -> bool:
    return "id" in model.get("status", {})


def _all_ready(stage: Stage) -> None:
    def missing() -> int:
        found = [each for kind in ("RemoteModel", "MLConnector") for each in stage.kube.list(kind)]
        return sum(not is_ready(each) for each in found)

    until(lambda: not missing(), seconds=_SECONDS, poll=0.2, told=missing)


def _clock() -> Callable[[], float]:
    """Return what says how many seconds ago it was made."""
    began = time.monotonic()
    return lambda: time.monotonic() - began
