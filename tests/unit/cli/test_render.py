from __future__ import annotations

from pathlib import Path

import pytest

from opensearch_ml_operator.cli.exits import Exit
from support.command_line import run

QUICKSTART = Path(__file__).parents[3] / "examples" / "quickstart"
CANARY = "Canary-7f3a-secret"


async def test_the_requests_come_in_the_operators_order_and_refer_to_each_other() -> None:
    ran = await run("render", "-f", QUICKSTART, "-o", "json", environ={})
    assert ran.code == Exit.OK
    group, connector, model, deploy = ran.document
    assert [each["path"] for each in ran.document] == [
        "/_plugins/_ml/model_groups/_register",
        "/_plugins/_ml/connectors/_create",
        "/_plugins/_ml/models/_register",
        "/_plugins/_ml/models/ID-OF-RemoteModel-sentences/_deploy",
    ]
    assert group["body"]["name"] == "search-models"
    assert connector["body"]["credential"] == {"api_key": "***"}
    assert model["body"]["connector_id"] == "ID-OF-MLConnector-embeddings"
    assert model["body"]["model_group_id"] == "ID-OF-MLModelGroup-search-models"
    assert model["body"]["function_name"] == "remote"
    assert deploy == {"method": "POST", "path": deploy["path"], "body": None}


async def test_a_model_without_a_group_gets_its_own_and_one_at_rest_is_not_deployed(tmp_path: Path) -> None:
    file = tmp_path / "model.yaml"
    file.write_text(
        "apiVersion: opensearchml.io/v1alpha1\n"
        "kind: RemoteModel\n"
        "metadata: {name: model}\n"
        "spec: {connectionRef: {name: main}, connectorID: abc, deploy: false}\n",
        "utf-8",
    )
    ran = await run("render", "-f", file, "-o", "json", environ={})
    group, model = ran.document
    assert group["path"].endswith("/model_groups/_register")
    assert model["body"]["model_group_id"] == "ID-OF-MLModelGroup-model-of-its-own"
    assert model["body"]["connector_id"] == "abc"


async def test_a_connector_of_a_models_own_is_registered_with_it(tmp_path: Path) -> None:
    file = tmp_path / "model.yaml"
    file.write_text(
        "apiVersion: opensearchml.io/v1alpha1\n"
        "kind: RemoteModel\n"
        "metadata: {name: model}\n"
        "spec:\n"
        "  connectionRef: {name: main}\n"
        "  modelGroupID: abc\n"
        "  connector:\n"
        "    credentials: [{name: key, secretKeyRef: {name: secret, key: key}}]\n"
        "    actions: [{type: predict, method: POST, url: 'https://models.example/v1'}]\n",
        "utf-8",
    )
    ran = await run("render", "-f", file, "-o", "json", environ={})
    model, _ = ran.document
    assert model["body"]["connector"]["credential"] == {"key": "***"}
    assert model["body"]["connector"]["name"] == "model"
    assert "connector_id" not in model["body"]


@pytest.mark.parametrize(
    ("adopt", "method", "path"),
    [
        ("{id: abc}", "GET", "/_plugins/_ml/connectors/abc"),
        ("{name: theirs}", "POST", "/_plugins/_ml/connectors/_search"),
    ],
)
async def test_what_is_adopted_is_looked_for_and_not_created(
    tmp_path: Path, adopt: str, method: str, path: str
) -> None:
    text = (QUICKSTART / "20-connector.yaml").read_text()
    (tmp_path / "connector.yaml").write_text(text.replace("\nspec:\n", f"\nspec:\n  adopt: {adopt}\n"))
    ran = await run("render", "-f", tmp_path, "-o", "json", environ={})
    (request,) = ran.document
    assert (request["method"], request["path"]) == (method, path)


async def test_secrets_of_the_files_are_not_shown(tmp_path: Path) -> None:
    text = (QUICKSTART / "20-connector.yaml").read_text()
    assert "change-me" in text
    (tmp_path / "connector.yaml").write_text(text.replace("change-me", CANARY))
    ran = await run("render", "-f", tmp_path, environ={})
    assert CANARY not in ran.out + ran.err
    assert "***" in ran.out


async def test_cluster_settings_become_one_request(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(
        "apiVersion: opensearchml.io/v1alpha1\n"
        "kind: MLClusterSettings\n"
        "metadata: {name: settings}\n"
        "spec: {connectionRef: {name: main}, settings: {safe_delete_model: true}}\n",
        "utf-8",
    )
    ran = await run("render", "-f", file, "-o", "json", environ={})
    (request,) = ran.document
    assert request["body"] == {"persistent": {"plugins.ml_commons.safe_delete_model": "true"}}


async def test_a_spec_that_the_operator_refuses_is_a_usage_error(tmp_path: Path) -> None:
    file = tmp_path / "model.yaml"
    file.write_text(
        "apiVersion: opensearchml.io/v1alpha1\nkind: RemoteModel\nmetadata: {name: m}\nspec: {}\n"
    )
    ran = await run("render", "-f", file, environ={})
    assert ran.code == Exit.USAGE
    assert f"{file}:1: RemoteModel m: Mend the spec" in ran.err
