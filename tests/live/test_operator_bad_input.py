"""What is wrong is said in a condition, loses nothing, and heals by itself once it is mended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stack import versions
from stack.certificates import Authority
from stack.controlplane import KubectlError
from stack.opensearch_node import OpenSearch
from support.live_kube import Document
from support.live_sets import KEY, PASSWORD
from support.live_stage import NOTHING, Stage
from support.live_waiting import until

secured = pytest.mark.parametrize("stage", [versions.OPENSEARCH_2], indirect=True)
SOON = 45.0
"""Seconds in which what was mended heals: the longest of the growing delays of these tests is far below."""


def test_a_secret_that_is_missing(stage: Stage) -> None:
    stage.kube.apply(*stage.sets.connection(), *stage.sets.one_set("first"))
    message = stage.kube.until_reason("MLConnector", "first", "SecretNotFound")
    assert message.startswith("Secret key does not exist in namespace")
    message = stage.kube.until_reason("RemoteModel", "first", "ConnectorNotReady")
    assert "Secret key does not exist" in message
    stage.kube.until_ready("MLModelGroup", "first")
    assert stage.left() == {**NOTHING, "model_groups": 1}

    stage.kube.apply(stage.sets.key())
    stage.ready("first", seconds=SOON)


def test_a_key_that_is_missing_in_its_secret(stage: Stage) -> None:
    stage.kube.apply(*stage.sets.connection(), stage.sets.secret("key", another=KEY))
    stage.kube.apply(stage.sets.connector("first"))
    message = stage.kube.until_reason("MLConnector", "first", "SecretKeyMissing")
    assert message.startswith("Secret key has no value under the key key.")
    assert KEY not in message
    assert stage.left() == NOTHING

    stage.kube.apply(stage.sets.key())
    stage.kube.until_ready("MLConnector", "first", seconds=SOON)


def test_nobody_listens_at_the_address(stage: Stage) -> None:
    stage.kube.apply(*stage.sets.connection(endpoints=["http://127.0.0.1:9"]), stage.sets.key())
    stage.kube.apply(*stage.sets.one_set("first"))
    message = stage.kube.until_reason("OpenSearchConnection", "main", "Unreachable")
    assert "Check spec.endpoints" in message
    for kind in ("MLConnector", "MLModelGroup", "RemoteModel"):
        assert "main is not ready" in stage.kube.until_reason(kind, "first", "ConnectionNotReady")

    stage.kube.apply(*stage.sets.connection())
    stage.ready("first", seconds=SOON)


@secured
def test_a_wrong_password(stage: Stage) -> None:
    stage.kube.apply(*stage.sets.connection(), stage.sets.key(), *stage.sets.one_set("first"))
    wrong = stage.sets.secret("main-login", username=stage.sets.username, password=f"{PASSWORD}-not")
    model_id = stage.ready("first")
    stage.kube.apply(wrong)
    message = stage.kube.until_reason("OpenSearchConnection", "main", "AuthenticationFailed")
    assert "Check username and password" in message
    assert PASSWORD not in message
    stage.kube.touch("RemoteModel", "first", "1")
    stage.kube.until_reason("RemoteModel", "first", "ConnectionNotReady")
    assert stage.remote.predict(model_id).status_code == 200

    stage.kube.apply(*stage.sets.connection())
    assert stage.ready("first", seconds=SOON) == model_id


@secured
def test_the_certificate_of_another_authority(stage: Stage) -> None:
    other = Authority.create(stage.stack.folder / stage.kube.namespace).ca_file.read_text()
    stage.kube.apply(*stage.sets.connection())
    stage.kube.until_ready("OpenSearchConnection", "main")
    stage.kube.patch("ConfigMap", "main-ca", {"data": {"ca.crt": other}})
    message = stage.kube.until_reason("OpenSearchConnection", "main", "TLSFailed")
    assert "Check spec.tls.caRef" in message

    stage.kube.apply(*stage.sets.connection())
    stage.kube.until_ready("OpenSearchConnection", "main", seconds=SOON)


def test_an_endpoint_that_is_not_trusted(stage: Stage) -> None:
    stage.connect()
    trusted = "trusted_connector_endpoints_regex"
    with stage.remote.setting(trusted, ["^https://models\\.example\\.com/.*$"]):
        stage.kube.apply(*stage.sets.one_set("first"))
        message = stage.kube.until_reason("MLConnector", "first", "EndpointNotTrusted")
        assert "Connector URL is not matching the trusted connector endpoint regex" in message
        assert f"plugins.ml_commons.{trusted}" in message
        stage.kube.until_ready("MLModelGroup", "first")
        assert stage.left() == {**NOTHING, "model_groups": 1}
    stage.ready("first", seconds=SOON)


def test_a_private_address(stage: Stage) -> None:
    stage.connect()
    with stage.remote.setting("connector.private_ip_enabled", value=False):
        stage.kube.touch("OpenSearchConnection", "main", "1")
        stage.kube.until("OpenSearchConnection", "main", _handled("1"))
        stage.kube.apply(*stage.sets.one_set("first"))
        message = stage.kube.until_reason("MLConnector", "first", "PrivateAddress")
        assert message.startswith("127.0.0.1 is a private address")
        assert "plugins.ml_commons.connector.private_ip_enabled" in message
        stage.kube.until_ready("MLModelGroup", "first")
        assert stage.left() == {**NOTHING, "model_groups": 1}
    stage.ready("first", seconds=SOON)


def test_a_model_server_that_refuses_the_key(stage: Stage) -> None:
    stage.connect()
    stage.model_server.accept_keys(["another"])
    try:
        model_id = stage.perform("first")  # what the model answers is not looked at
        answer = stage.remote.predict(model_id)
        assert answer.status_code == 401
        assert "Incorrect API key" in answer.text
        assert KEY not in answer.text
    finally:
        stage.model_server.accept_keys(None)
    assert stage.remote.predict(model_id).status_code == 200


def test_a_connector_that_does_not_exist(stage: Stage) -> None:
    stage.connect()
    model = stage.sets.model("first", connector="absent")
    stage.kube.apply(stage.sets.group("first"), model)
    message = stage.kube.until_reason("RemoteModel", "first", "ConnectorNotFound")
    assert message.startswith("MLConnector absent does not exist in namespace")

    def raw(connector_id: str) -> Document:
        spec: dict[str, Any] = {
            "connectorRef": None,
            "connectorID": connector_id,
            "connectionRef": {"name": "main"},
        }
        return stage.sets.model("second", group="first", **spec)

    stage.kube.apply(raw("absent-in-opensearch"))
    message = stage.kube.until_reason("RemoteModel", "second", "ConnectorNotFound")
    assert "absent-in-opensearch" in message
    assert stage.left() == {**NOTHING, "model_groups": 1}

    stage.kube.apply(stage.sets.connector("absent"))
    stage.kube.until_ready("RemoteModel", "first", seconds=SOON)
    id_ = stage.kube.get("MLConnector", "absent")["status"]["id"]
    stage.kube.apply(raw(id_))
    stage.kube.until_ready("RemoteModel", "second", seconds=SOON)


@pytest.mark.parametrize("stage", versions.OPENSEARCH, indirect=True)
def test_a_model_that_was_deleted_by_hand(stage: Stage) -> None:
    stage.connect()
    lost = stage.perform("first")
    ml = "/_plugins/_ml/models"
    stage.remote.client.post(f"{ml}/{lost}/_undeploy").raise_for_status()
    stage.remote.client.delete(f"{ml}/{lost}").raise_for_status()
    stage.kube.touch("RemoteModel", "first", "1")

    def is_new(found: Document) -> bool:
        return bool(found["status"].get("id") not in {None, lost})

    stage.kube.until("RemoteModel", "first", is_new)
    new = stage.ready("first")
    assert stage.remote.predict(new).status_code == 200
    until(lambda: stage.left() == {"models": 1, "connectors": 1, "model_groups": 1}, told=stage.left)
    events = [event for event in stage.kube.list("Event") if event["reason"] == "ExternalIDChanged"]
    assert [lost in event["message"] for event in events] == [True]


def test_the_api_server_refuses_what_cannot_be_meant(stage: Stage) -> None:
    both = stage.sets.model("first", connectorID="some-id")
    with pytest.raises(KubectlError, match="exactly one of connectorRef, connectorID, connector"):
        stage.kube.apply_at_once(both)
    nowhere = stage.sets.connection(endpoints=["ftp://127.0.0.1"])
    with pytest.raises(KubectlError, match=r"spec\.endpoints"):
        stage.kube.apply_at_once(*nowhere)
    assert stage.kube.find("RemoteModel", "first") is None


@pytest.mark.exhaustive
def test_opensearch_crashes_in_the_middle_of_the_deploys(stage: Stage, opensearch_360: OpenSearch) -> None:
    stage.connect()
    names = [f"set-{number}" for number in range(6)]
    stage.kube.apply(*(document for name in names for document in stage.sets.one_set(name)))
    until(lambda: stage.left()["models"] > 0, poll=0.02)
    opensearch_360.stop(seconds=0)
    try:
        stage.kube.until_reason("OpenSearchConnection", "main", "Unreachable")
    finally:
        opensearch_360.start()
    for name in names:
        stage.ready(name, seconds=200)
    until(lambda: set(stage.left().values()) == {len(names)}, told=stage.left)

    def states() -> set[str]:
        found = stage.remote.find("models", stage.kube.namespace)
        return {model["model_state"] for model in found.values()}

    # OpenSearch deploys once more by itself what its documents say was deployed before the crash.
    until(lambda: states() == {"DEPLOYED"}, seconds=60, told=states)
    for model_id in stage.remote.find("models", stage.kube.namespace):
        assert stage.remote.predict(model_id).status_code == 200


def _handled(mark: str) -> Callable[[Document], bool]:
    return lambda found: bool(found["status"].get("lastHandledReconcileAt") == mark)


@secured
def test_a_field_of_a_newer_release_is_refused_until_it_is_taken_out(stage: Stage) -> None:
    stage.connect()
    stage.kube.apply(*stage.sets.one_set("new"))
    model = stage.ready("new")
    newer = {"spec": {"clientConfig": {"skipSSLVerification": True}}}
    stage.kube.patch("MLConnector", "new", newer)
    message = stage.kube.until_reason("MLConnector", "new", "FieldNotSupported")
    assert "spec.clientConfig.skipSSLVerification needs 3.5" in message
    assert stage.left() == {"models": 1, "connectors": 1, "model_groups": 1}
    assert stage.remote.predict(model).is_success
    stage.kube.patch("MLConnector", "new", {"spec": {"clientConfig": None}})
    assert stage.ready("new") == model
