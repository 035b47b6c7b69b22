from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.cli.checks.check import Administrator, Verdict
from opensearch_ml_operator.cli.checks.settings import PRIVATE, Needs, judge
from opensearch_ml_operator.models.snapshot import ObjectKey, Snapshot
from opensearch_ml_operator.reconcilers.ports import ClusterSettings
from opensearch_ml_operator.reconcilers.settings.claims import PREFIX, TRUSTED

ADMINISTRATOR = Administrator("https://os.example:9200", secured=True)
OPENAI = "https://api.openai.com/v1/embeddings"
GOOD: dict[str, Any] = {
    TRUSTED: [r"^https://api\.openai\.com/.*$"],
    PRIVATE: "false",
    f"{PREFIX}remote_inference.enabled": "true",
    f"{PREFIX}connector_access_control_enabled": "false",
    f"{PREFIX}model_access_control_enabled": "false",
}


def snapshot(kind: str, **spec: Any) -> Snapshot:
    key = ObjectKey(kind, "team", "one")
    return Snapshot(key, "uid", "1", 1, "2026-01-01T00:00:00Z", deleting=False, finalizer=True, spec=spec)


def connector(url: str, **parameters: Any) -> Snapshot:
    return snapshot("MLConnector", actions=[{"type": "predict", "url": url}], parameters=parameters)


def test_good_settings_are_praised() -> None:
    (check,) = judge(ClusterSettings(defaults=GOOD), Needs.of([connector(OPENAI)]), ADMINISTRATOR)
    assert check.verdict is Verdict.OK
    assert "1 connector addresses are trusted" in check.message


@pytest.mark.parametrize(
    ("name", "bad", "verdict", "good"),
    [
        ("remote_inference.enabled", "false", Verdict.FAILED, "true"),
        ("max_register_model_tasks_per_node", "0", Verdict.FAILED, 10),
        ("max_deploy_model_tasks_per_node", "0", Verdict.FAILED, 10),
        ("model_auto_deploy.enable", "false", Verdict.WARNING, "true"),
        ("sync_up_job_interval_in_seconds", "0", Verdict.WARNING, 10),
        ("task_dispatcher.eligible_node_role.remote_model", ["search"], Verdict.WARNING, ["data", "ml"]),
    ],
)
def test_a_setting_in_the_way_is_named_with_the_request_that_mends_it(
    name: str, bad: Any, verdict: Verdict, good: Any
) -> None:
    standing = ClusterSettings(persistent={PREFIX + name: bad}, defaults=GOOD)
    (check,) = judge(standing, Needs(), ADMINISTRATOR)
    assert check.verdict is verdict
    assert PREFIX + name in check.message
    (fix,) = check.fixes
    assert fix.request == {
        "method": "PUT",
        "path": "/_cluster/settings",
        "body": {"persistent": {PREFIX + name: good}},
    }
    assert fix.command.startswith("curl --cacert ca.crt -u admin -X PUT")


def test_multi_tenancy_has_no_mend() -> None:
    standing = ClusterSettings(defaults={**GOOD, f"{PREFIX}multi_tenancy_enabled": "true"})
    (check,) = judge(standing, Needs(), ADMINISTRATOR)
    assert (check.verdict, check.fixes) == (Verdict.FAILED, ())


def test_a_transient_value_is_mended_in_both_layers() -> None:
    name = f"{PREFIX}remote_inference.enabled"
    (check,) = judge(ClusterSettings(transient={name: "false"}, defaults=GOOD), Needs(), ADMINISTRATOR)
    assert check.fixes[0].request is not None
    assert check.fixes[0].request["body"] == {"persistent": {name: "true"}, "transient": {name: None}}


def test_an_untrusted_address_is_added_to_the_patterns_that_stand() -> None:
    users = [connector("https://${parameters.host}/v1", host="models.example")]
    (check,) = judge(ClusterSettings(defaults=GOOD), Needs.of(users, [OPENAI]), ADMINISTRATOR)
    assert check.verdict is Verdict.FAILED
    assert "https://models.example/v1" in check.message
    assert OPENAI not in check.message
    assert check.fixes[0].request is not None
    wanted = [*GOOD[TRUSTED], r"^https://models\.example/.*$"]
    assert check.fixes[0].request["body"] == {"persistent": {TRUSTED: wanted}}


def test_a_broken_pattern_is_taken_out() -> None:
    standing = ClusterSettings(persistent={TRUSTED: [*GOOD[TRUSTED], "^https://("]}, defaults=GOOD)
    (check,) = judge(standing, Needs.of([connector(OPENAI)]), ADMINISTRATOR)
    assert check.verdict is Verdict.FAILED
    assert check.fixes[0].request is not None
    assert check.fixes[0].request["body"] == {"persistent": {TRUSTED: GOOD[TRUSTED]}}


def test_a_pattern_that_only_java_reads_is_not_condemned() -> None:
    standing = ClusterSettings(persistent={TRUSTED: [*GOOD[TRUSTED], r"^https://\p{Alpha}+\.example/.*$"]})
    (check,) = judge(standing, Needs(), ADMINISTRATOR)
    assert check.verdict is Verdict.WARNING


@pytest.mark.parametrize(
    ("url", "verdict"),
    [("http://10.1.2.3:8000/v1", Verdict.FAILED), ("http://models.team.svc:8000/v1", Verdict.WARNING)],
)
def test_private_addresses_need_their_switch(url: str, verdict: Verdict) -> None:
    trusted = {**GOOD, TRUSTED: ["^http://.*$"]}
    (check,) = judge(ClusterSettings(defaults=trusted), Needs.of([connector(url)]), ADMINISTRATOR)
    assert check.verdict is verdict
    assert check.fixes[0].request is not None
    assert check.fixes[0].request["body"] == {"persistent": {PRIVATE: "true"}}
    allowed = ClusterSettings(defaults={**trusted, PRIVATE: "true"})
    assert judge(allowed, Needs.of([connector(url)]), ADMINISTRATOR)[0].verdict is Verdict.OK


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("MLConnector", f"{PREFIX}connector_access_control_enabled"),
        ("MLModelGroup", f"{PREFIX}model_access_control_enabled"),
    ],
)
def test_access_needs_access_control(kind: str, name: str) -> None:
    users = [snapshot(kind, access={"mode": "public"})]
    (check,) = judge(ClusterSettings(defaults=GOOD), Needs.of(users), ADMINISTRATOR)
    assert check.verdict is Verdict.FAILED
    assert name in check.message
    switched = ClusterSettings(persistent={name: "true"}, defaults=GOOD)
    assert judge(switched, Needs.of(users), ADMINISTRATOR)[0].verdict is Verdict.OK
