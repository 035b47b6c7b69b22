"""For each alert: series that make it fire and after how long, and what keeps it silent.

Series are in promtool's notation: `1x60` is the value 1 for 60 minutes, `0+6x60` grows by 6 a minute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

PREFIX: Final = "opensearch_ml_"
MODEL: Final = 'kind="RemoteModel", namespace="team", name="m"'
NAMED: Final = 'namespace="team", name="m"'
OWNER: Final = {"kind": "RemoteModel", "namespace": "team", "name": "m"}
PLACE: Final = {"namespace": "team", "name": "m"}

Series = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """One alert. `silent` are variants of the series that must not make it fire."""

    alert: str
    series: Series
    fires_after: str
    not_yet: str
    labels: Mapping[str, str]
    severity: str
    silent: tuple[Series, ...] = field(default=())


def metric(name: str, labels: str = "") -> str:
    return f"{PREFIX}{name}{{{labels}}}"


def info(reason: str, ready: str = "False", labels: str = MODEL) -> str:
    return metric("resource_info", f'{labels}, reason="{reason}", ready="{ready}"')


def condition(type_: str, status: str) -> str:
    return metric("resource_condition", f'{MODEL}, type="{type_}", status="{status}"')


OPERATOR: Final = metric("operator_info", 'instance="a", version="1"')
LEADS: Final = 'leader_election_master_status{instance="a", name="lease"}'
UP: Final = metric("connection_up", NAMED)
EXPIRY: Final = metric("connection_certificate_expiry_timestamp_seconds", NAMED)
PLANNED, DEPLOYED = metric("model_nodes_planned", NAMED), metric("model_nodes_deployed", NAMED)
SUSPENDED: Final = metric("resource_suspended", MODEL)
DELETION: Final = metric("resource_deletion_timestamp_seconds", MODEL)
CONNECTION: Final = 'kind="OpenSearchConnection", namespace="team", name="m"'
SUCCESS, ERROR = (
    metric("reconcile_total", f'kind="RemoteModel", result="{result}"')
    for result in ("success", "transient_error")
)
FAST, SLOW = (
    metric("task_duration_seconds_bucket", f'task_type="Deploy", result="COMPLETED", le="{le}"')
    for le in ("600", "1800")
)
ALL: Final = metric("task_duration_seconds_bucket", 'task_type="Deploy", result="COMPLETED", le="+Inf"')

CASES: Final = (
    Case(
        "OpenSearchMLOperatorDown",
        {OPERATOR: "1x10 stale"},
        "25m",
        "15m",
        {},
        "warning",
        ({OPERATOR: "1x60"},),
    ),
    Case(
        "OpenSearchMLOperatorNoLeader",
        {OPERATOR: "1x60", LEADS: "0x60"},
        "6m",
        "4m",
        {"name": "lease"},
        "warning",
        (
            {OPERATOR: "1x60", LEADS: "1x60"},
            {OPERATOR: "1x60", 'leader_election_master_status{instance="other", name="lease"}': "0x60"},
        ),
    ),
    Case(
        "OpenSearchMLReconcileErrors",
        {SUCCESS: "0+6x60", ERROR: "0+3x60"},
        "30m",
        "10m",
        {"kind": "RemoteModel"},
        "warning",
        ({SUCCESS: "0+6x60", ERROR: "0+1x60"},),
    ),
    Case(
        "OpenSearchMLQueueOld",
        {metric("queue_oldest_seconds", 'instance="a"'): "400x60"},
        "11m",
        "9m",
        {"instance": "a"},
        "warning",
        ({metric("queue_oldest_seconds", 'instance="a"'): "200x60"},),
    ),
    Case("OpenSearchMLConnectionDown", {UP: "0x60"}, "11m", "9m", PLACE, "critical", ({UP: "1x60"},)),
    Case(
        "OpenSearchMLAuthenticationFailed",
        {info("AuthenticationFailed", labels=CONNECTION): "1x60"},
        "6m",
        "4m",
        {**PLACE, "kind": "OpenSearchConnection", "reason": "AuthenticationFailed", "ready": "False"},
        "warning",
        ({info("Unreachable", labels=CONNECTION): "1x60"}, {info("PermissionDenied"): "1x60"}),
    ),
    Case(
        "OpenSearchMLCertificateExpiring",
        {EXPIRY: "1000000x120"},  # the clock of these tests begins at 0
        "70m",
        "50m",
        PLACE,
        "warning",
        ({EXPIRY: "3000000x120"},),
    ),
    Case(
        "OpenSearchMLOrphans",
        {metric("orphans", 'namespace="team", connection="m"'): "2x120"},
        "70m",
        "50m",
        {"namespace": "team", "connection": "m"},
        "info",
        ({metric("orphans", 'namespace="team", connection="m"'): "0x120"},),
    ),
    Case(
        "OpenSearchMLModelNotServing",
        {metric("model_probe_success", NAMED): "0x60"},
        "11m",
        "9m",
        PLACE,
        "critical",
        ({metric("model_probe_success", NAMED): "1x60"},),
    ),
    Case(
        "OpenSearchMLModelUnderDeployed",
        {PLANNED: "3x60", DEPLOYED: "2x60", condition("Deployed", "False"): "1x60"},
        "16m",
        "14m",
        PLACE,
        "warning",
        (
            {PLANNED: "3x60", DEPLOYED: "3x60", condition("Deployed", "False"): "1x60"},
            # OpenSearch let it go by its own rule, and loads it again at the next call.
            {PLANNED: "3x60", DEPLOYED: "0x60", condition("Deployed", "True"): "1x60"},
        ),
    ),
    Case(
        "OpenSearchMLHealingExhausted",
        {info("HealingExhausted"): "1x60"},
        "2m",
        "0m",
        {**OWNER, "reason": "HealingExhausted", "ready": "False"},
        "critical",
        ({info("Undeployed"): "1x60"},),
    ),
    Case(
        "OpenSearchMLTaskSlow",
        {FAST: "0+1x90", SLOW: "0+2x90", ALL: "0+2x90"},
        "60m",
        "5m",
        {},
        "info",
        ({FAST: "0+2x90", SLOW: "0+2x90", ALL: "0+2x90"},),
    ),
    Case(
        "OpenSearchMLResourceStalled",
        {condition("Stalled", "True"): "1x60", info("Rejected"): "1x60"},
        "6m",
        "4m",
        {**OWNER, "type": "Stalled", "status": "True"},
        "warning",
        (
            {condition("Stalled", "True"): "1x60", info("HealingExhausted"): "1x60"},
            {condition("Stalled", "True"): "1x60", SUSPENDED: "1x60"},
        ),
    ),
    Case(
        "OpenSearchMLResourceNotReady",
        {info("Undeployed"): "1x8 stale", info("DeployTaskRunning"): "_x8 1x60", SUSPENDED: "0x60"},
        "16m",
        "14m",
        OWNER,
        "warning",
        (
            {info("Succeeded", ready="True"): "1x60"},
            {info("ConnectorNotReady"): "1x60"},
            {info("DriftLoop"): "1x60"},
            {info("Undeployed"): "1x60", SUSPENDED: "1x60"},
            {info("Undeployed"): "1x60", DELETION: "0x60"},
            {info("Rejected"): "1x60", condition("Stalled", "True"): "1x60"},
            {info("Unreachable", labels=CONNECTION): "1x60"},
        ),
    ),
    Case(
        "OpenSearchMLDriftLoop",
        {info("DriftLoop"): "1x60"},
        "2m",
        "0m",
        {**OWNER, "reason": "DriftLoop", "ready": "False"},
        "warning",
        ({info("DriftDetected"): "1x60"},),
    ),
    Case(
        "OpenSearchMLDeletionStuck",
        {DELETION: "0x60"},
        "37m",
        "30m",
        OWNER,
        "warning",
        ({DELETION: "1800x60"},),
    ),
    Case(
        "OpenSearchMLCreateUnresolved",
        {metric("creates_unresolved", 'kind="RemoteModel", namespace="team"'): "1x60"},
        "16m",
        "14m",
        {"kind": "RemoteModel", "namespace": "team"},
        "warning",
        ({metric("creates_unresolved", 'kind="RemoteModel", namespace="team"'): "0x60"},),
    ),
    Case(
        "OpenSearchMLSuspendedLong",
        {SUSPENDED: "1x11000"},
        "169h",
        "167h",
        OWNER,
        "info",
        ({SUSPENDED: "0x11000"},),
    ),
)
