"""Whatever a set was before: what its specs say now is all that counts, on real servers as on the fakes."""

from __future__ import annotations

import random

import pytest

from stack import versions
from support.live_kube import Document
from support.live_stage import Stage
from support.live_waiting import until
from support.transitions import SetSpec, picture, spoiled, transition

PAIRS = 20
"""Of each release, all at once; every fourth takes the way over specs that are refused."""
SECONDS = 120.0
KEPT_SECONDS = 330.0
"""A connector that heard of a model's move too early looks again after five minutes."""


@pytest.mark.exhaustive
@pytest.mark.timeout(900, func_only=True)
@pytest.mark.parametrize("stage", versions.OPENSEARCH, indirect=True)
def test_where_a_set_comes_from_does_not_show(stage: Stage) -> None:
    chance = random.Random(stage.remote.node.version)  # noqa: S311 - specs, no secrets
    pairs = {f"set{number}": transition(chance) for number in range(PAIRS)}
    stage.connect()
    for name, (first, second) in pairs.items():
        stage.kube.apply(*documents(stage, name, first), *documents(stage, f"fresh-{name}", second))
    until_settled(stage)
    bad = list(pairs)[::4]
    for name in bad:
        stage.kube.apply(*documents(stage, name, spoiled(pairs[name][0])))
    for name in bad:
        stage.kube.until_reason("MLConnector", f"{name}-connector", "EndpointNotTrusted", seconds=SECONDS)
    for name, (_, second) in pairs.items():
        stage.kube.apply(*documents(stage, name, second))
    until_settled(stage)
    for name in pairs:
        until_alike(stage, name)


def until_alike(stage: Stage, name: str) -> None:
    """Wait until a set looks like its fresh twin: a search may be a second late."""
    until(
        lambda: shown(stage, name) == shown(stage, f"fresh-{name}"),
        seconds=10,
        told=lambda: (name, shown(stage, name), shown(stage, f"fresh-{name}")),
    )


def documents(stage: Stage, name: str, spec: SetSpec) -> list[Document]:
    connector = dict(
        spec.connector, actions=[{"url": stage.sets.url, **a} for a in spec.connector["actions"]]
    )
    return [
        stage.sets.connector(f"{name}-spare"),
        stage.sets.group(f"{name}-group", **spec.group),
        stage.sets.connector(f"{name}-connector", **connector),
        stage.sets.model(
            f"{name}-model",
            connector=f"{name}-spare" if spec.spare else f"{name}-connector",
            **{
                "modelGroupRef": None if spec.own_group else {"name": f"{name}-group"},
                **spec.model,
            },
        ),
    ]


def until_settled(stage: Stage) -> None:
    """Wait until every object is Ready and nothing of an earlier spec is kept."""
    for kind in ("MLModelGroup", "MLConnector", "RemoteModel"):
        for each in stage.kube.list(kind):
            stage.kube.until_ready(kind, each["metadata"]["name"], seconds=SECONDS)
    until(lambda: not kept(stage), seconds=KEPT_SECONDS, told=lambda: kept_by(stage))


def kept_by(stage: Stage) -> list[tuple[str, object]]:
    """Tell what everything looks like of those sets that keep something of an earlier spec."""
    sets = {name.rpartition("-")[0] for name in kept(stage)}
    found = [each for kind in ("MLConnector", "RemoteModel") for each in stage.kube.list(kind)]
    return [
        (each["metadata"]["name"], each["status"])
        for each in found
        if each["metadata"]["name"].rpartition("-")[0] in sets
    ]


def kept(stage: Stage) -> list[str]:
    statuses = [
        (each["metadata"]["name"], each["status"])
        for kind in ("MLConnector", "RemoteModel")
        for each in stage.kube.list(kind)
    ]
    return [
        name
        for name, status in statuses
        if status.get("previous") or status.get("ownedGroupID") not in {None, status.get("modelGroupID")}
    ]


def shown(stage: Stage, name: str) -> list[str]:
    prefix = f"{stage.kube.namespace} {name}-"
    namespace = stage.kube.namespace
    groups, connectors, models = (
        stage.remote.find(kind, namespace) for kind in ("model_groups", "connectors", "models")
    )
    return picture(groups, connectors, models, prefix)
