"""docs/quickstart.md, followed on the real servers, which have no node for the pod."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.remote import take_inventory
from opensearch_ml_operator.constants import GROUP
from stack import versions
from stack.local import Stack
from stack.operator_process import OperatorProcess
from support.page_blocks import assignments, blocks_of, readers_environment, run_blocks

NAMESPACE = "quickstart"
VALUES, *BLOCKS = blocks_of("quickstart.md", language="bash")
WITHOUT_A_NODE = ("--wait", "--dry-run=server --take-ownership")
"""No pod can become ready here, and what Helm would install is there: the operator's process needs it.
On a node (tests/node) no word is changed."""


@pytest.fixture
def tools(local_stack: Stack, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Return the environment of a reader of the page."""
    yield readers_environment(local_stack, tmp_path)
    gone = ("--ignore-not-found", "--timeout=60s")
    local_stack.control_plane.run_kubectl("delete", "namespace", NAMESPACE, *gone)


def follow(values: dict[str, str], blocks: list[str], environment: dict[str, str]) -> str:
    """Run the blocks in one shell with other values in the first one, and return what was printed."""
    assert list(values) == re.findall(r"^(\w+)=", VALUES, re.MULTILINE)
    assert sum(block.count(WITHOUT_A_NODE[0]) for block in blocks) <= 1
    without = [block.replace(*WITHOUT_A_NODE) for block in blocks]
    return run_blocks([assignments(values), *without], environment)


def test_a_newcomer_gets_a_model_that_answers_and_nothing_stays(
    local_stack: Stack, operator: OperatorProcess, tools: dict[str, str]
) -> None:
    assert operator.server.is_running()
    node = local_stack.opensearch(versions.OPENSEARCH_2)
    key = f"key-{secrets.token_urlsafe(18)}"
    values = {
        "IMAGE": "registry.example/opensearch-ml-operator",
        "OPENSEARCH": node.url.replace("127.0.0.1", "localhost"),  # the name in its certificate
        "CA": str(node.ca_file),
        "ADMIN": f"{node.username}:{node.password}",
        "PASSWORD": secrets.token_hex(24),
        "PROVIDER": local_stack.model_server.url,
        "MODEL": "wordllama",
        "API_KEY": key,
    }
    with node.client() as administrator:
        before = take_inventory(administrator)
        *use, take_away = BLOCKS
        printed = follow(values, use, tools)

        left = take_inventory(administrator) - before
        assert {kind: len(ids) for kind, ids in left.ids.items()} == {
            "connectors": 1,
            "models": 1,
            "model_groups": 1,
        }
        assert f"remotemodel.{GROUP}/openai-embedding condition met" in printed
        answer = json.loads(printed.splitlines()[-1])
        ((output,),) = [result["output"] for result in answer["inference_results"]]
        assert len(output["data"]) > 100
        asked = local_stack.model_server.requests()[-1]
        assert asked.headers["Authorization"] == f"Bearer {key}"
        assert "cheap flights" in str(asked)

        follow(values, [take_away], tools)
        assert (take_inventory(administrator) - before).is_empty
