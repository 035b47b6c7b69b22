from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from opensearch_ml_operator.cli import documents
from opensearch_ml_operator.cli.exits import Exit
from support.command_line import Ran, run

CANARY = "Canary-7f3a-secret"
BLUEPRINT: dict[str, Any] = {
    "name": "OpenAI: Embeddings",
    "description": "My connector",
    "version": "1",
    "protocol": "http",
    "parameters": {"model": "text-embedding-3-small", "dimensions": 256},
    "credential": {"openAI_key": CANARY},
    "actions": [
        {
            "action_type": "predict",
            "method": "POST",
            "url": "https://models.example/v1/embeddings",
            "headers": {"Authorization": "Bearer ${credential.openAI_key}"},
            "request_body": '{\n  "input": ${parameters.input}\n}',
        }
    ],
}


async def imported(folder: Path, body: object, *options: str) -> Ran:
    file = folder / "blueprint.json"
    file.write_text(json.dumps(body), "utf-8")
    return await run("import", file, *options, environ={})


async def test_a_blueprint_becomes_a_connector_and_a_secret_to_fill_in(tmp_path: Path) -> None:
    ran = await imported(tmp_path, BLUEPRINT, "--connection", "main", "-n", "search")
    assert ran.code == Exit.OK, ran.err
    assert CANARY not in ran.out + ran.err
    assert "# Write the values" in ran.out
    assert "requestBody: |-\n" in ran.out
    secret, connector = yaml.safe_load_all(ran.out)
    assert secret["stringData"] == {"openAI_key": ""}
    assert connector["metadata"] == {"name": "openai-embeddings", "namespace": "search"}
    assert connector["spec"]["parameters"] == BLUEPRINT["parameters"]
    assert connector["spec"]["credentials"][0]["secretKeyRef"]["name"] == secret["metadata"]["name"]

    file = tmp_path / "made.yaml"
    file.write_text(ran.out)
    linted = await run("lint", file, "-o", "json", environ={})
    assert linted.code == Exit.OK, linted.out
    rendered = (await run("render", "-f", file, "-o", "json", environ={})).document[0]["body"]
    wanted = {**BLUEPRINT, "credential": {"openAI_key": "***"}}
    assert rendered["parameters"] == {"model": "text-embedding-3-small", "dimensions": "256"}
    assert {name: rendered[name] for name in ("name", "actions", "credential", "version", "protocol")} == {
        name: wanted[name] for name in ("name", "actions", "credential", "version", "protocol")
    }


async def test_a_connection_of_the_whole_cluster_and_a_name(tmp_path: Path) -> None:
    options = ("--connection", "cosconn/shared", "--name", "mine", "-o", "json")
    ran = await imported(tmp_path, BLUEPRINT, *options)
    connector = ran.document["items"][-1]
    assert connector["metadata"] == {"name": "mine"}
    assert connector["spec"]["connectionRef"] == {"kind": "ClusterOpenSearchConnection", "name": "shared"}


async def test_what_the_operator_will_refuse_is_said(tmp_path: Path) -> None:
    action = {**BLUEPRINT["actions"][0], "url": "https://${parameters.endpoint}/v1"}
    ran = await imported(tmp_path, {**BLUEPRINT, "actions": [action]}, "--connection", "main")
    assert "error: spec.actions[0].url" in ran.err


@pytest.mark.parametrize("body", [[], {"name": "x"}, {"name": "x", "actions": []}])
async def test_what_is_no_blueprint(tmp_path: Path, body: object) -> None:
    ran = await imported(tmp_path, body, "--connection", "main")
    assert (ran.code, ran.out) == (Exit.USAGE, "")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("OpenAI: Embeddings!", "openai-embeddings"),
        ("--", "unnamed"),
        ("Größe", "gr-e"),
        ("x" * 70, "x" * 63),
        ("taken", "taken-2"),
        ("TAKEN", "taken-2"),
    ],
)
def test_names_that_kubernetes_takes(words: str, name: str) -> None:
    assert documents.object_name(words, {"taken"}) == name


def test_names_are_given_once() -> None:
    taken: set[str] = set()
    assert [documents.object_name("y" * 64, taken) for _ in range(3)] == [
        "y" * 63,
        "y" * 61 + "-2",
        "y" * 61 + "-3",
    ]
