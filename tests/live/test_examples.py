"""Every example for a provider: taken as it is written, Ready, and called as its provider wants it.

There are two rounds on the real servers. In the first the connectors are applied as they are: creating one
calls no provider, so what is tried is that OpenSearch takes it, with the trusted endpoints that the examples
name. In the second everything is applied, and the scheme and host of each URL lead to a stub that knows the
provider's documentation.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import pytest

from stack import versions
from stack.local import Stack
from stack.operator_process import OperatorProcess
from support.live_sets import CANARY
from support.live_stage import Stage, open_stage
from support.providers.catalog import OPERATIONS
from support.providers.example import OURS, Example, read_examples
from support.providers.received import Received
from support.providers.stub import Stub, serve
from support.providers.trusted import BUILT_IN
from support.providers.vectors import DIMENSION, score, vector

EXAMPLES = {example.name: example for example in read_examples()}
SECONDS = 60.0
"""All examples are made Ready at once, on whatever else the machine does."""
TRICKY = 'He said "tief, müde";\n\tC:\\temp $1 ${x} {"a": 1}'
"""A text that has to arrive as it is, whoever puts it into JSON on the way."""
TEMPORARY = "bedrock-converse"
"""The example whose AWS keys are those of a session, with a token."""


@dataclass(frozen=True, slots=True)
class Served:
    """One example, Ready, with its provider's stub."""

    example: Example
    stage: Stage
    stub: Stub

    def predict(self, body: Mapping[str, Any]) -> list[Any]:
        """Call the model as the example says, and return its outputs."""
        model_id = self.stage.kube.get("RemoteModel", self.example.name)["status"]["id"]
        path = self.example.predict_path.replace("MODEL_ID", model_id)
        answer = self.stage.remote.client.post(path, json=body)
        assert answer.is_success, (answer.text, self.stub.refusals)
        return [tensor for result in answer.json()["inference_results"] for tensor in result["output"]]


@pytest.fixture(scope="module")
def served(local_stack: Stack, operator: OperatorProcess) -> Iterator[dict[str, Served]]:
    """Return all examples, each with a stub in place of its provider."""
    assert operator.server.is_running()
    with ExitStack() as stack:
        stage = stack.enter_context(open_stage(local_stack, "t-examples-served"))
        stubs = {
            name: stack.enter_context(serve(OPERATIONS[name], secret_of(example)))
            for name, example in EXAMPLES.items()
        }
        documents = [
            document
            for name, example in EXAMPLES.items()
            for document in example.pointed_at(stubs[name].url, stage.kube.namespace, stubs[name].secret)
        ]
        make_ready(stage, documents)
        yield {name: Served(example, stage, stubs[name]) for name, example in EXAMPLES.items()}
        stage.kube.delete_all(seconds=SECONDS)
        stage.until_nothing_is_left()


def secret_of(example: Example) -> dict[str, str]:
    """Return keys for the example's Secret that no other example has."""
    keys = {name: f"{CANARY}{example.name}-{name}" for name in example.credentials}
    return keys | ({"session_token": f"{CANARY}session"} if example.name == TEMPORARY else {})


def make_ready(stage: Stage, documents: list[dict[str, Any]]) -> None:
    """Apply a connection and everything else at once, and wait until all of it is Ready."""
    stage.kube.apply(*stage.sets.connection("opensearch"))
    stage.kube.until_ready("OpenSearchConnection", "opensearch")
    stage.kube.apply_at_once(*documents)
    for each in documents:
        if each["kind"] in OURS:
            stage.kube.until_ready(each["kind"], each["metadata"]["name"], seconds=SECONDS)


@pytest.mark.exhaustive
def test_each_connector_is_taken_as_written_with_the_endpoints_that_are_named(stage: Stage) -> None:
    written = [each for example in EXAMPLES.values() for each in example.named(stage.kube.namespace)]
    named = sorted({example.trusted for example in EXAMPLES.values()})
    with stage.remote.setting("trusted_connector_endpoints_regex", named):
        make_ready(stage, [each for each in written if each["kind"] != "RemoteModel"])

    remote = stage.remote.find("connectors", stage.kube.namespace).values()
    hosts = {each["name"].split()[-1]: host_of(each["actions"][0]["url"]) for each in remote}
    assert hosts == {name: host_of(example.real_url) for name, example in EXAMPLES.items()}


def host_of(url: str) -> str:
    """Return the host of a URL, with a port when there is one."""
    return url.split("/")[2]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_provider_gets_what_it_documents_and_its_answer_arrives(
    served: dict[str, Served], name: str
) -> None:
    one = served[name]
    body = json.loads(json.dumps(one.example.predict_body))
    if "text_docs" in body:
        body["text_docs"].append(TRICKY)
    outputs = one.predict(body)

    assert one.stub.refusals == []
    assert one.stub.answers
    match one.example.predict_path.split("/"):
        case [*_, "text_embedding", _]:
            assert [each["data"] for each in outputs] == [vector(text) for text in body["text_docs"]]
            assert {(each["name"], each["data_type"], *each["shape"]) for each in outputs} == {
                ("sentence_embedding", "FLOAT32", DIMENSION)
            }
        case [*_, "text_similarity", _]:
            query = body["query_text"]
            assert [each["data"] for each in outputs] == [[score(query, text)] for text in body["text_docs"]]
        case _:
            assert [each["dataAsMap"] for each in outputs] == one.stub.answers


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_stub_would_have_refused_another_request(served: dict[str, Served], name: str) -> None:
    one = served[name]
    one.predict(one.example.predict_body)
    good = one.stub.accepted[-1]

    judge = Stub(one.stub.operation, one.stub.secret)
    assert judge.take(good)[0] == 200
    for wrong in wrong_requests(good):
        assert judge.take(wrong)[0] == 400, wrong
    other = Stub(one.stub.operation, dict.fromkeys(one.stub.secret, "other") or {"key": "other"})
    assert other.take(good)[0] == 400


def wrong_requests(good: Received) -> Iterator[Received]:
    """Yield the request with one thing wrong each."""
    yield replace(good, method="PUT")
    yield replace(good, target=f"{good.target}x")
    yield replace(good, headers={**good.headers, "content-type": "text/plain"})
    body = json.loads(good.body)
    if isinstance(body, dict):
        yield replace(good, body=json.dumps({**body, "unheard_of": 1}).encode())
    yield replace(good, body=b'{"no": "such"}')


@pytest.mark.parametrize("version", versions.OPENSEARCH)
def test_the_releases_trust_by_themselves_what_the_examples_say(local_stack: Stack, version: str) -> None:
    """The settings of the local nodes replace the list, so it is read where it is defined."""
    server = local_stack.opensearch(version).server
    assert server is not None
    assert server.cwd is not None
    names = {f"org/opensearch/ml/{package}settings/MLCommonsSettings.class" for package in ("", "common/")}
    found = set()
    for archive in (server.cwd / "plugins").glob("*/opensearch-ml-*.jar"):
        with zipfile.ZipFile(archive) as opened:
            for name in names & set(opened.namelist()):
                found |= set(re.findall(rb"\^https:[!-~]+\$", opened.read(name)))
    assert {each.decode() for each in found} == BUILT_IN[version]
