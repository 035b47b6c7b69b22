"""The way of a newcomer, word for word: docs/quickstart.md, then docs/uninstall.md, on a node."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from demo.quickstart import Quickstart
from demo.remote import take_inventory
from opensearch_ml_operator.constants import GROUP
from stack import versions
from support.live_waiting import until
from support.node_release import IMAGE, Release
from support.page_blocks import assignments, blocks_of, readers_environment, run_blocks

_, *BLOCKS = blocks_of("quickstart.md", language="bash")
*USE, TAKE_AWAY = BLOCKS
REMOVE, REMOVE_CRDS = blocks_of("uninstall.md")[:2]


def test_a_newcomer_gets_a_model_that_answers_and_removes_everything(
    release: Release, tmp_path: Path
) -> None:
    stack = release.node.stack
    reader = readers_environment(stack, tmp_path)
    server = stack.opensearch(versions.OPENSEARCH_2)
    password, key = secrets.token_hex(24), f"key-{secrets.token_urlsafe(18)}"
    mine = assignments(
        {
            "IMAGE": IMAGE,
            "OPENSEARCH": server.url,
            "CA": str(server.ca_file),
            "ADMIN": f"{server.username}:{server.password}",
            "PASSWORD": password,
            "PROVIDER": stack.model_server.url,
            "MODEL": "wordllama",
            "API_KEY": key,
        }
    )
    with server.client() as administrator:
        before = take_inventory(administrator)
        printed = run_blocks([mine, *USE], reader)
        assert f"remotemodel.{GROUP}/openai-embedding condition met" in printed
        answer = json.loads(printed.splitlines()[-1])
        ((output,),) = [result["output"] for result in answer["inference_results"]]
        assert len(output["data"]) > 100
        assert stack.model_server.requests()[-1].headers["Authorization"] == f"Bearer {key}"
        assert not (take_inventory(administrator) - before).is_empty
        run_blocks([TAKE_AWAY], reader)
        assert (take_inventory(administrator) - before).is_empty

        # The other page removes the manifests of examples/quickstart, and then the operator.
        manifests = tmp_path / "quickstart"
        manifests.mkdir()
        Quickstart(manifests, server, stack.model_server, username="ml-operator", password=password).write()
        kubectl = stack.control_plane.run_kubectl
        kubectl("apply", "--filename", str(manifests))
        kubectl(
            "wait", "--for=condition=Ready", "rmodel/sentences", "--namespace=quickstart", "--timeout=60s"
        )
        assert not (take_inventory(administrator) - before).is_empty
        printed = run_blocks([REMOVE.replace("examples/quickstart", str(manifests))], reader)
        assert "sentences" in printed
        assert (take_inventory(administrator) - before).is_empty
        until(lambda: release.kubectl("get", "pods,deployments,roles", "--output=name") == "")
        assert GROUP in kubectl("get", "crds", "--output=name")
        run_blocks([REMOVE_CRDS], reader)
        assert GROUP not in kubectl("get", "crds,clusterroles", "--output=name")
