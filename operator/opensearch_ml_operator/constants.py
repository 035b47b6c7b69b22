"""Names that other systems store: changing one is a breaking change."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

GROUP: Final = "opensearchml.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
NAME: Final = "opensearch-ml-operator"

FINALIZER: Final = f"{GROUP}/finalizer"
MARKER: Final = "k8sml"
"""Begins the word in a remote object's description that names its resource; the uid comes next."""
SCHEMA_HASH_ANNOTATION: Final = f"{GROUP}/schema-hash"
DELETION_POLICY_ANNOTATION: Final = f"{GROUP}/deletion-policy"
DELETE_ORPHANS_ANNOTATION: Final = f"{GROUP}/delete-orphans"
RECONCILE_ANNOTATION: Final = f"{GROUP}/reconcile-requested-at"
ACCEPT_CLUSTER_ANNOTATION: Final = f"{GROUP}/accept-cluster-uuid"


class ConditionType(StrEnum):
    """Condition types; all are "True is good" except the three at the end, present only while True."""

    READY = "Ready"
    REACHABLE = "Reachable"
    REFERENCES_RESOLVED = "ReferencesResolved"
    CREDENTIALS_RESOLVED = "CredentialsResolved"
    SYNCED = "Synced"
    REGISTERED = "Registered"
    DEPLOYED = "Deployed"
    HEALTHY = "Healthy"
    DELETABLE = "Deletable"
    SUSPENDED = "Suspended"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


class Reason(StrEnum):
    """The closed list of condition reasons; docs/reasons.md has one paragraph for each."""

    # True conditions
    SUCCEEDED = "Succeeded"
    # connections
    UNREACHABLE = "Unreachable"
    TLS_FAILED = "TLSFailed"
    AUTHENTICATION_FAILED = "AuthenticationFailed"
    PERMISSION_DENIED = "PermissionDenied"
    PLUGIN_MISSING = "PluginMissing"
    UNSUPPORTED_VERSION = "UnsupportedVersion"
    CLUSTER_CHANGED = "ClusterChanged"
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105 - a reason, not a password
    SECRET_KEY_MISSING = "SecretKeyMissing"  # noqa: S105 - a reason, not a password
    # references
    CONNECTION_NOT_FOUND = "ConnectionNotFound"
    CONNECTION_NOT_READY = "ConnectionNotReady"
    NAMESPACE_NOT_ALLOWED = "NamespaceNotAllowed"
    CONNECTOR_NOT_FOUND = "ConnectorNotFound"
    CONNECTOR_NOT_READY = "ConnectorNotReady"
    MODEL_GROUP_NOT_FOUND = "ModelGroupNotFound"
    MODEL_GROUP_NOT_READY = "ModelGroupNotReady"
    CONNECTION_MISMATCH = "ConnectionMismatch"
    # Synced
    CREATING = "Creating"
    UPDATING = "Updating"
    SWAPPING = "Swapping"
    WAITING_FOR_UNRESOLVED_CREATE = "WaitingForUnresolvedCreate"
    DRIFT_DETECTED = "DriftDetected"
    DRIFT_LOOP = "DriftLoop"
    INVALID_SPEC = "InvalidSpec"
    REJECTED = "Rejected"
    ENDPOINT_NOT_TRUSTED = "EndpointNotTrusted"
    PRIVATE_ADDRESS = "PrivateAddress"
    NOT_OWNED = "NotOwned"
    AMBIGUOUS_MATCH = "AmbiguousMatch"
    CONFLICT = "Conflict"
    FIELD_NOT_SUPPORTED = "FieldNotSupported"
    THROTTLED = "Throttled"
    # Registered, Deployed
    REGISTER_TASK_RUNNING = "RegisterTaskRunning"
    DEPLOY_TASK_RUNNING = "DeployTaskRunning"
    DEPLOY_TASK_FAILED = "DeployTaskFailed"
    PARTIALLY_DEPLOYED = "PartiallyDeployed"
    UNDEPLOYED = "Undeployed"
    STUCK_DEPLOYING = "StuckDeploying"
    HEALING_EXHAUSTED = "HealingExhausted"
    NO_ELIGIBLE_NODES = "NoEligibleNodes"
    # Healthy
    PROBE_FAILED = "ProbeFailed"
    UNEXPECTED_OUTPUT = "UnexpectedOutput"
    # Deletable
    USED_BY_MODELS = "UsedByModels"
    USED_BY_PIPELINES = "UsedByPipelines"
    USED_BY_AGENTS = "UsedByAgents"
    FALSE_CONFLICT = "FalseConflict"
    UNDEPLOY_RUNNING = "UndeployRunning"
    CONNECTION_UNAVAILABLE = "ConnectionUnavailable"
    # Suspended
    SUSPENDED = "Suspended"
    # Reconciling
    PROGRESSING = "Progressing"
    PROGRESSING_WITH_RETRY = "ProgressingWithRetry"
