"""The local stack is real: each server does the job that the other live tests count on."""

from __future__ import annotations

import json
import math
import ssl
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from stack import versions
from stack.controlplane import ControlPlane, KubectlError
from stack.modelserver.client import ModelServer
from stack.opensearch_node import OpenSearch

CHEAP_FLIGHTS, SAME_MEANING, UNRELATED = "cheap flights", "low cost air tickets", "how to bake rye bread"
ML = "/_plugins/_ml"


def eventually(what: str, check: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)


def test_api_server_is_ready_and_of_the_pinned_version(control_plane: ControlPlane) -> None:
    with control_plane.client() as client:
        assert client.get("/readyz").text == "ok"
        assert client.get("/version").json()["gitVersion"] == f"v{versions.KUBERNETES}"


def test_api_server_is_known_by_its_own_authority_alone(control_plane: ControlPlane) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{control_plane.url}/readyz", verify=ssl.create_default_context(), trust_env=False)


def test_service_account_has_the_rights_of_its_role_alone(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    kubectl = control_plane.run_kubectl
    kubectl("create", "namespace", "narrow")
    kubectl("create", "serviceaccount", "reader", "--namespace=narrow")
    kubectl("create", "role", "reader", "--namespace=narrow", "--verb=get", "--resource=configmaps")
    who = ("--role=reader", "--serviceaccount=narrow:reader")
    kubectl("create", "rolebinding", "reader", "--namespace=narrow", *who)
    kubectl("create", "configmap", "content", "--namespace=narrow")
    kubeconfig = control_plane.service_account_kubeconfig("narrow", "reader", tmp_path / "kubeconfig")
    as_reader = f"--kubeconfig={kubeconfig}"
    assert kubectl("get", "configmap", "content", "--output=name", as_reader) == "configmap/content\n"
    with pytest.raises(KubectlError, match='User "system:serviceaccount:narrow:reader" cannot list'):
        kubectl("get", "configmaps", as_reader)


def test_namespace_deletion_ends(control_plane: ControlPlane) -> None:
    control_plane.run_kubectl("create", "namespace", "short-lived")
    control_plane.run_kubectl("create", "configmap", "content", "--namespace=short-lived")
    control_plane.run_kubectl("delete", "namespace", "short-lived", "--timeout=60s")
    with pytest.raises(KubectlError, match="NotFound"):
        control_plane.run_kubectl("get", "namespace", "short-lived")


def test_dependents_are_garbage_collected(control_plane: ControlPlane) -> None:
    kubectl = control_plane.run_kubectl
    kubectl("create", "configmap", "owner")
    owner = json.loads(kubectl("get", "configmap", "owner", "--output=json"))
    reference = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "owner",
        "uid": owner["metadata"]["uid"],
    }
    metadata = {"name": "dependent", "ownerReferences": [reference]}
    dependent = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    kubectl("create", "--filename=-", document=json.dumps(dependent))
    kubectl("delete", "configmap", "owner")
    kubectl("wait", "--for=delete", "configmap/dependent", "--timeout=60s")


def test_api_server_starts_again_with_what_it_had(control_plane: ControlPlane) -> None:
    control_plane.run_kubectl("create", "configmap", "kept")
    control_plane.api_server.stop()
    with pytest.raises(KubectlError, match="refused"):
        control_plane.run_kubectl("get", "configmap", "kept")
    control_plane.api_server.start()
    assert control_plane.run_kubectl("get", "configmap", "kept", "--output=name") == "configmap/kept\n"


@pytest.mark.parametrize("fixture", ["opensearch_360", "opensearch_219"])
def test_model_embeds_through_opensearch(
    fixture: str, request: pytest.FixtureRequest, model_server: ModelServer
) -> None:
    node: OpenSearch = request.getfixturevalue(fixture)
    with node.client() as client:
        assert client.get("/").json()["version"]["number"] == node.version
        model_id = deploy_embedding_model(client, model_server)
        before = max((each.number for each in model_server.requests()), default=0)
        flights, tickets, bread = predict(client, model_id, [CHEAP_FLIGHTS, SAME_MEANING, UNRELATED])
    (sent,) = model_server.requests(since=before)
    assert sent.headers["Authorization"] == "Bearer the-key"
    assert len(flights) == 256
    assert cosine(flights, tickets) > 0.4
    assert cosine(flights, bread) < 0.2


def test_security_refuses_anonymous_and_keeps_a_user_to_its_role(opensearch_219: OpenSearch) -> None:
    role = {"cluster_permissions": ["cluster:monitor/main"]}
    opensearch_219.create_user("narrow", "Xk7-quiet-harbour", "narrow-role", role)
    anonymous = ssl.create_default_context(cafile=opensearch_219.ca_file)
    assert httpx.get(opensearch_219.url, verify=anonymous, trust_env=False).status_code == 401
    with opensearch_219.client("narrow", "Xk7-quiet-harbour") as client:
        assert client.get("/").status_code == 200
        assert client.post(f"{ML}/connectors/_search", json={}).status_code == 403


@pytest.mark.exhaustive
def test_opensearch_starts_again_with_its_data_at_its_address(opensearch_360: OpenSearch) -> None:
    with opensearch_360.client() as client:
        client.put("/kept/_doc/1?refresh=true", json={"text": "still here"}).raise_for_status()
        opensearch_360.stop()
        with pytest.raises(httpx.ConnectError):
            client.get("/kept/_doc/1")
        opensearch_360.start()
        eventually("the index is back", lambda: client.get("/kept/_doc/1").is_success)
        assert client.get("/kept/_doc/1").json()["_source"] == {"text": "still here"}


def test_paused_opensearch_answers_nothing_until_it_goes_on(opensearch_360: OpenSearch) -> None:
    with opensearch_360.client() as client:
        opensearch_360.pause()
        try:
            with pytest.raises(httpx.ReadTimeout):
                client.get("/", timeout=1)
        finally:
            opensearch_360.resume()
        assert client.get("/").is_success


def test_helm_is_of_the_pinned_version(helm: Path, control_plane: ControlPlane) -> None:
    command: list[str | Path] = [
        helm,
        "version",
        "--template={{.Version}}",
        f"--kubeconfig={control_plane.kubeconfig}",
    ]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == f"v{versions.HELM}"


def deploy_embedding_model(client: httpx.Client, model_server: ModelServer) -> str:
    call = {
        "action_type": "predict",
        "method": "POST",
        "url": f"{model_server.url}/v1/embeddings",
        "headers": {"Authorization": "Bearer ${credential.key}"},
        "request_body": '{ "input": ${parameters.input}, "model": "${parameters.model}" }',
        "pre_process_function": "connector.pre_process.openai.embedding",
        "post_process_function": "connector.post_process.openai.embedding",
    }
    connector = {
        "name": "embeddings",
        "description": "",
        "version": "1",
        "protocol": "http",
        "credential": {"key": "the-key"},
        "parameters": {"model": "wordllama"},
        "actions": [call],
    }
    connector_id = post(client, "connectors/_create", connector)["connector_id"]
    group_id = post(client, "model_groups/_register", {"name": "stack test"})["model_group_id"]
    model = {
        "name": "embeddings",
        "function_name": "remote",
        "connector_id": connector_id,
        "model_group_id": group_id,
    }
    model_id: str = post(client, "models/_register", model)["model_id"]
    post(client, f"models/{model_id}/_deploy", {})

    def is_deployed() -> bool:
        state: str = client.get(f"{ML}/models/{model_id}").json()["model_state"]
        return state == "DEPLOYED"

    eventually("the model is deployed", is_deployed)
    return model_id


def predict(client: httpx.Client, model_id: str, texts: Sequence[str]) -> list[list[float]]:
    answer = post(client, f"_predict/text_embedding/{model_id}", {"text_docs": list(texts)})
    return [output["data"] for result in answer["inference_results"] for output in result["output"]]


def post(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(f"{ML}/{path}", json=body)
    assert answer.is_success, answer.text
    content: dict[str, Any] = answer.json()
    return content


def cosine(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(map(float.__mul__, left, right)) / (math.hypot(*left) * math.hypot(*right))
