from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from opensearch_ml_operator.cli.exits import Exit
from support.command_line import Ran, run

ROOT = Path(__file__).parents[3]
EXAMPLES = (ROOT / "examples" / "quickstart", *(ROOT / "examples" / "providers").glob("*.yaml"))
HEAD = "apiVersion: opensearchml.io/v1alpha1\n"
CONNECTION = (
    HEAD
    + """\
kind: OpenSearchConnection
metadata: {name: main}
spec: {endpoints: ["https://os.example:9200"]}
"""
)
SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: key}
stringData: {token: change-me}
"""
CONNECTOR = (
    HEAD
    + """\
kind: MLConnector
metadata: {name: connector}
spec:
  connectionRef: {name: main}
  credentials: [{name: token, secretKeyRef: {name: key, key: token}}]
  parameters: {host: models.example}
  actions:
    - type: predict
      method: POST
      url: https://${parameters.host}/v1
      headers: {Authorization: "Bearer ${credential.token}"}
"""
)
MODEL = (
    HEAD
    + """\
kind: RemoteModel
metadata: {name: model}
spec:
  connectorRef: {name: connector}
  probe: {parameters: {input: hello}}
"""
)


async def lint(tmp_path: Path, *documents: str) -> Ran:
    file = tmp_path / "all.yaml"
    file.write_text("---\n".join(documents), "utf-8")
    return await run("lint", file, "-o", "json", environ={})


def said(ran: Ran) -> list[tuple[str, str, int]]:
    return [(each["severity"], each["field"], each["line"]) for each in ran.document]


async def test_good_manifests_are_good(tmp_path: Path) -> None:
    ran = await lint(tmp_path, CONNECTION, SECRET, CONNECTOR, MODEL)
    assert (ran.code, ran.document) == (Exit.OK, [])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
async def test_the_examples_have_no_errors(path: Path) -> None:
    ran = await run("lint", path, environ={})
    assert ran.code == Exit.OK, ran.out
    assert "errors: 0" in ran.err


@pytest.mark.parametrize(
    ("old", "new", "severity", "field", "message"),
    [
        ("spec:\n", "spec:\n  resyncInterval: 5s\n", "error", "spec", "must be at least 30s"),
        ("method: POST", "method: FETCH", "error", "spec.actions[0].method", "Input should be"),
        ("parameters:", "paramters:", "error", "spec.paramters", "did you mean parameters?"),
        ("kind: MLConnector", "kind: MLConector", "error", "kind", "none of our kinds"),
        ("v1alpha1", "v2", "error", "apiVersion", "must be opensearchml.io/v1alpha1"),
        ("key: token}", "key: other}", "error", "spec.credentials[0].secretKeyRef.key", "no key other"),
        ("credential.token", "credential.other", "error", "spec.actions", "has no other"),
        ("{host: models.example}", "{}", "error", "spec.actions[0].url", "has no 'host'"),
        ("models.example", "169.254.169.254", "error", "spec.actions[0].url", "never called"),
        ("models.example", "10.0.0.1", "advice", "spec.actions[0].url", "private address"),
        ("{name: main}", "{name: other}", "advice", "spec.connectionRef.name", "not in these files"),
        ("{host:", "{api_key: sk-1, host:", "advice", "spec.parameters.api_key", "looks like a secret"),
        (
            '"Bearer ${credential.token}"',
            '"Bearer sk-123456", x: "${credential.token}"',
            "advice",
            "spec.actions[0].headers.Authorization",
            "in the open",
        ),
    ],
)
async def test_mistakes_of_a_connector(
    tmp_path: Path, old: str, new: str, severity: str, field: str, message: str
) -> None:
    assert old in CONNECTOR
    ran = await lint(tmp_path, CONNECTION, SECRET, CONNECTOR.replace(old, new))
    found = [each for each in ran.document if each["field"] == field]
    assert [(each["severity"], message in each["message"]) for each in found] == [(severity, True)], ran.out
    assert ran.code == (Exit.PROBLEMS if severity == "error" else Exit.OK)


async def test_a_model_on_another_connection_than_its_connector(tmp_path: Path) -> None:
    model = MODEL.replace("spec:\n", "spec:\n  connectionRef: {name: other}\n")
    ran = await lint(tmp_path, CONNECTION, SECRET, CONNECTOR, model)
    assert ("error", "spec.connectorRef", said(ran)[-1][2]) in said(ran)


SHARED = """\
kind: ClusterOpenSearchConnection
metadata: {name: shared}
spec:
  endpoints: ["https://os.example:9200"]
  allowedNamespaces: {names: [insider]}
"""
GROUP_OF_TEAM = """\
kind: MLModelGroup
metadata: {name: group, namespace: team}
spec: {connectionRef: {kind: ClusterOpenSearchConnection, name: shared}, adopt: {name: theirs}}
"""


async def test_what_a_connection_of_the_whole_cluster_does_not_allow(tmp_path: Path) -> None:
    ran = await lint(tmp_path, HEAD + SHARED, HEAD + GROUP_OF_TEAM)
    assert [each["field"] for each in ran.document] == ["spec.connectionRef", "spec.adopt"]
    assert "does not let namespace team in" in ran.document[0]["message"]
    allowed = SHARED.replace("insider", "team") + "  allowExternalIDs: true\n"
    ran = await lint(tmp_path, HEAD + allowed, HEAD + GROUP_OF_TEAM)
    assert (ran.code, ran.document) == (Exit.OK, [])


async def test_ids_of_others_through_a_connection_of_the_whole_cluster(tmp_path: Path) -> None:
    spec = "  connectorID: abc\n  connectionRef: {kind: ClusterOpenSearchConnection, name: shared}\n"
    model = MODEL.replace("  connectorRef: {name: connector}\n", spec)
    ran = await lint(tmp_path, HEAD + SHARED, model)
    assert ("error", "spec.connectorID") in [(each["severity"], each["field"]) for each in ran.document]


async def test_the_connector_of_a_models_own_is_judged_too(tmp_path: Path) -> None:
    fields = CONNECTOR.partition("spec:\n")[2].replace("  connectionRef: {name: main}\n", "")
    fields = textwrap.indent(fields.replace("credential.token", "credential.other"), "  ")
    spec = "  connectionRef: {name: main}\n  connector:\n" + fields
    model = MODEL.replace("  connectorRef: {name: connector}\n", spec)
    ran = await lint(tmp_path, CONNECTION, SECRET, model)
    assert [each["field"] for each in ran.document if each["severity"] == "error"] == [
        "spec.connector.actions"
    ]


async def test_the_line_of_a_field_is_told(tmp_path: Path) -> None:
    ran = await lint(tmp_path, CONNECTION, MODEL.replace("probe:", "prob:"))
    text = (tmp_path / "all.yaml").read_text().splitlines()
    (line,) = [each["line"] for each in ran.document if each["field"] == "spec.prob"]
    assert "prob:" in text[line - 1]


async def test_an_object_that_stands_twice(tmp_path: Path) -> None:
    ran = await lint(tmp_path, CONNECTION, CONNECTION)
    assert [each["field"] for each in ran.document] == ["metadata.name"]
    assert ran.code == Exit.PROBLEMS


async def test_the_items_of_a_list_are_judged(tmp_path: Path) -> None:
    item = textwrap.indent(MODEL.replace("probe:", "prob:"), "    ").replace(
        "    apiVersion", "  - apiVersion", 1
    )
    ran = await lint(tmp_path, f"apiVersion: v1\nkind: List\nitems:\n{item}")
    text = (tmp_path / "all.yaml").read_text().splitlines()
    (line,) = [each["line"] for each in ran.document if each["field"] == "spec.prob"]
    assert "prob:" in text[line - 1]


@pytest.mark.parametrize("text", ["a: [b", "a: b: c", "kind: Pod\n"])
async def test_what_cannot_be_judged_is_a_usage_error(tmp_path: Path, text: str) -> None:
    assert (await lint(tmp_path, text)).code == Exit.USAGE
