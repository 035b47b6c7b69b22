"""Whatever is deleted in whatever order: it all goes, here and in OpenSearch."""

from __future__ import annotations

import random

import pytest

from stack import versions
from support.live_kube import Document
from support.live_stage import Stage
from support.live_waiting import until

SECONDS = 90.0


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("stage", versions.OPENSEARCH, indirect=True)
def test_any_order(stage: Stage, seed: int) -> None:
    documents = _everything(stage)
    random.Random(seed).shuffle(documents)  # noqa: S311 - an order, no secret; the test's name shows the seed
    for document in documents:
        stage.kube.delete(document["kind"], document["metadata"]["name"])
    stage.kube.until_empty(seconds=SECONDS)
    stage.until_nothing_is_left()


def test_a_whole_namespace(stage: Stage) -> None:
    _everything(stage)
    path = f"/api/v1/namespaces/{stage.kube.namespace}"
    stage.kube.client.delete(path).raise_for_status()
    until(lambda: stage.kube.client.get(path).status_code == 404, seconds=SECONDS)
    stage.until_nothing_is_left()


def _everything(stage: Stage) -> list[Document]:
    """Apply two sets, one of them with a group of its own making, and wait until they are Ready."""
    connection = [*stage.sets.connection(), stage.sets.key()]
    own = stage.sets.model("own", connector="first", modelGroupRef=None)
    documents = [*connection, *stage.sets.one_set("first"), own]
    stage.kube.apply(*documents)
    stage.ready("first")
    stage.kube.until_ready("RemoteModel", "own")
    assert stage.left() == {"models": 2, "connectors": 1, "model_groups": 2}
    return documents
