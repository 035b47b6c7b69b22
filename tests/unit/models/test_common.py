from __future__ import annotations

from enum import StrEnum

import pytest
from pydantic import ValidationError

from opensearch_ml_operator.models.common import Condition, ManagedStatus, Pending, StatusBase
from opensearch_ml_operator.models.connection import OpenSearchConnectionStatus
from opensearch_ml_operator.models.connector import MLConnectorSpec
from opensearch_ml_operator.models.model import RemoteModelSpec, RemoteModelStatus
from support.kind_documents import PREDICT


class Word(StrEnum):
    READY = "Ready"


def condition(type_: str = Word.READY) -> Condition:
    return Condition(
        type=type_,
        status="True",
        reason="Succeeded",
        observed_generation=3,
        last_transition_time="2026-01-02T03:04:05Z",
    )


def test_a_body_has_the_names_of_kubernetes_and_no_empty_fields() -> None:
    assert condition().to_body() == {
        "type": "Ready",
        "status": "True",
        "reason": "Succeeded",
        "message": "",
        "observedGeneration": 3,
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }
    assert OpenSearchConnectionStatus(cluster_uuid="u").to_body()["clusterUUID"] == "u"
    assert RemoteModelStatus(connector_id="c", model_group_id="g").to_body() == {
        "observedGeneration": -1,
        "conditions": [],
        "connectorID": "c",
        "modelGroupID": "g",
        "tasks": [],
    }


def test_enum_members_are_stored_as_plain_text() -> None:
    assert type(condition(Word.READY).to_body()["type"]) is str


def test_null_inside_free_form_parameters_is_kept() -> None:
    spec = MLConnectorSpec.model_validate(
        {"connectionRef": {"name": "main"}, "actions": [PREDICT], "parameters": {"stop": None}}
    )

    assert spec.to_body()["parameters"] == {"stop": None}


def test_fields_of_a_newer_version_are_ignored() -> None:
    status = StatusBase.model_validate({"observedGeneration": 2, "invented": {"by": "a newer version"}})

    assert status.to_body() == {"observedGeneration": 2, "conditions": []}


def test_the_text_5_is_no_number() -> None:
    with pytest.raises(ValidationError, match="valid integer"):
        StatusBase.model_validate({"observedGeneration": "5"})


def test_a_model_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        condition().status = "False"  # type: ignore[misc]


def test_conditions_of_one_type_appear_once() -> None:
    with pytest.raises(ValidationError, match="duplicate entry 'Ready'"):
        StatusBase(conditions=[condition(), condition()])


def test_the_status_of_an_unseen_object_is_unseen() -> None:
    assert ManagedStatus().observed_generation == -1


def test_a_record_of_the_create_protocol_survives_the_api_server() -> None:
    pending = Pending(
        role="Connector", revision=2, attempt=1, holder="pod-1", started_at="2026-01-02T03:04:05Z"
    )
    status = ManagedStatus(pending=pending)

    assert ManagedStatus.model_validate(status.to_body()).pending == pending


def test_a_model_without_words_is_deployed_enabled_and_healed() -> None:
    spec = RemoteModelSpec.model_validate({"connectorRef": {"name": "embeddings"}})

    assert (spec.deploy, spec.enabled, spec.healing.enabled) == (True, True, True)
    assert (spec.deploy_setting.auto_deploy_enabled, spec.deploy_setting.ttl_minutes) == (True, -1)
    assert spec.connection_ref is None
