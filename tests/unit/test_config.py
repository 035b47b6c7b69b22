from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from opensearch_ml_operator.config import Settings

POD = {"POD_NAME": "operator-0", "POD_NAMESPACE": "ml-system"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"OPENSEARCH_ML_{name.upper()}", raising=False)
    for name, value in POD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.usefixtures("environment")
def test_in_a_pod_nothing_has_to_be_set() -> None:
    settings = Settings()
    assert settings.namespaces == ()
    assert settings.workers == 32
    assert (settings.bind_address, settings.metrics_port, settings.health_port) == ("0.0.0.0", 8080, 8081)  # noqa: S104
    assert (settings.log_level, settings.log_format) == ("info", "json")
    assert settings.quiet_period_seconds == 120
    assert settings.leader_election
    assert (settings.lease_namespace, settings.lease_name) == ("ml-system", "opensearch-ml-operator")
    assert settings.pod_name == "operator-0"
    assert (settings.lease_duration, settings.lease_renew_deadline, settings.lease_retry_period) == (
        15,
        10,
        2,
    )


@pytest.mark.parametrize(
    ("name", "value", "attribute", "expected"),
    [
        ("WATCH_NAMESPACES", "team-a, team-b,,team-a", "namespaces", ("team-a", "team-b")),
        ("WORKERS", "8", "workers", 8),
        ("BIND_ADDRESS", "127.0.0.1", "bind_address", "127.0.0.1"),
        ("METRICS_PORT", "0", "metrics_port", 0),
        ("HEALTH_PORT", "9000", "health_port", 9000),
        ("LOG_LEVEL", "DEBUG", "log_level", "debug"),
        ("LOG_FORMAT", "text", "log_format", "text"),
        ("QUIET_PERIOD", "2m30s", "quiet_period_seconds", 150),
        ("LEADER_ELECTION", "false", "leader_election", False),
        ("LEASE_NAME", "other", "lease_name", "other"),
        ("LEASE_NAMESPACE", "elsewhere", "lease_namespace", "elsewhere"),
        ("LEASE_DURATION", "30", "lease_duration", 30),
        ("LEASE_RENEW_DEADLINE", "12.5", "lease_renew_deadline", 12.5),
        ("LEASE_RETRY_PERIOD", "1", "lease_retry_period", 1),
        ("POD_NAME", "mine", "pod_name", "mine"),
        ("SERVICE_ACCOUNT", "operator", "service_account", "operator"),
        ("SERVICE_ACCOUNT_NAMESPACE", "elsewhere", "service_account_namespace", "elsewhere"),
    ],
)
def test_each_setting_comes_from_its_variable(
    environment: pytest.MonkeyPatch, name: str, value: str, attribute: str, expected: Any
) -> None:
    environment.setenv(f"OPENSEARCH_ML_{name}", value)
    assert getattr(Settings(), attribute) == expected


def test_an_empty_variable_is_not_set(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OPENSEARCH_ML_WORKERS", "")
    environment.setenv("OPENSEARCH_ML_LEASE_NAME", "")
    assert (Settings().workers, Settings().lease_name) == (32, "opensearch-ml-operator")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("WORKERS", "0", "workers"),
        ("METRICS_PORT", "70000", "metrics_port"),
        ("LOG_LEVEL", "loud", "log_level"),
        ("QUIET_PERIOD", "soon", "quiet_period"),
        ("QUIET_PERIOD", "0s", "quiet_period"),
        ("WATCH_NAMESPACES", "Team_A", "Team_A"),
        ("LEASE_RENEW_DEADLINE", "20", "must grow"),
        ("LEASE_RETRY_PERIOD", "11", "must grow"),
    ],
)
def test_a_wrong_value_is_refused_by_name(
    environment: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    environment.setenv(f"OPENSEARCH_ML_{name}", value)
    with pytest.raises(ValidationError, match=message):
        Settings()


@pytest.mark.parametrize("missing", ["POD_NAME", "POD_NAMESPACE"])
def test_leader_election_says_what_it_needs(environment: pytest.MonkeyPatch, missing: str) -> None:
    environment.delenv(missing)
    with pytest.raises(ValidationError, match="POD_NAMESPACE and POD_NAME"):
        Settings()
    environment.setenv("OPENSEARCH_ML_LEADER_ELECTION", "false")
    assert not Settings().leader_election


@pytest.mark.parametrize("missing", ["OPENSEARCH_ML_SERVICE_ACCOUNT", "POD_NAMESPACE"])
def test_tokens_need_an_account(environment: pytest.MonkeyPatch, missing: str) -> None:
    environment.setenv("OPENSEARCH_ML_LEASE_NAMESPACE", "here")
    environment.setenv("OPENSEARCH_ML_SERVICE_ACCOUNT", "operator")
    environment.setenv("OPENSEARCH_ML_TOKEN_AUDIENCES", "search, other")
    assert Settings().audiences == ("search", "other")
    environment.delenv(missing)
    with pytest.raises(ValidationError, match="TOKEN_AUDIENCES needs"):
        Settings()


@pytest.mark.usefixtures("environment")
def test_settings_can_be_given_by_name_and_do_not_change() -> None:
    settings = Settings(workers=2, pod_name="mine", lease_namespace="here")
    assert (settings.workers, settings.pod_name, settings.lease_namespace) == (2, "mine", "here")
    with pytest.raises(ValidationError, match="frozen"):
        settings.workers = 3  # type: ignore[misc]
