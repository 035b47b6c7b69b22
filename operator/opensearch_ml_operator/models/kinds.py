"""The table of kinds: what each is called, which models describe it and what `kubectl get` shows of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from .cluster_connection import ClusterOpenSearchConnectionSpec
from .common import Model, StatusBase
from .connection import OpenSearchConnectionSpec, OpenSearchConnectionStatus
from .connector import MLConnectorSpec, MLConnectorStatus
from .group import MLModelGroupSpec, MLModelGroupStatus
from .model import RemoteModelSpec, RemoteModelStatus
from .settings import MLClusterSettingsSpec, MLClusterSettingsStatus

CATEGORY: Final = "opensearch-ml"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of `kubectl get`; `wide` ones are shown with `-o wide` alone."""

    name: str
    path: str
    type: Literal["string", "integer", "date"] = "string"
    wide: bool = False


@dataclass(frozen=True, slots=True)
class KindInfo:
    """One kind of the API."""

    kind: str
    plural: str
    short_name: str
    description: str
    spec: type[Model]
    status: type[StatusBase]
    columns: tuple[Column, ...]
    selectable_fields: tuple[str, ...] = ()
    """JSON paths that `kubectl get --field-selector` knows; strings only, at most eight."""
    scope: Literal["Namespaced", "Cluster"] = "Namespaced"

    @property
    def singular(self) -> str:
        """The lower-case singular that kubectl accepts."""
        return self.kind.lower()


def _ready(field: str) -> str:
    return f'.status.conditions[?(@.type=="Ready")].{field}'


_READY = Column("READY", _ready("status"))
_STATUS = Column("STATUS", _ready("reason"))
_CONNECTION = Column("CONNECTION", ".spec.connectionRef.name")
_ID = Column("ID", ".status.id")
_AGE = Column("AGE", ".metadata.creationTimestamp", "date")
_WIDE = (
    Column("LAST-SYNC", ".status.lastSyncTime", "date", wide=True),
    Column("MESSAGE", _ready("message"), wide=True),
)
_CONNECTION_COLUMNS = (
    _READY,
    _STATUS,
    Column("ENDPOINT", ".status.endpoint", wide=True),
    Column("VERSION", ".status.version"),
    _AGE,
    *_WIDE,
)

KINDS: Final[tuple[KindInfo, ...]] = (
    KindInfo(
        kind="OpenSearchConnection",
        plural="opensearchconnections",
        short_name="osconn",
        description="How to reach one OpenSearch cluster. It manages nothing there; it shows whether the"
        " cluster answers, and what it can do.",
        spec=OpenSearchConnectionSpec,
        status=OpenSearchConnectionStatus,
        columns=_CONNECTION_COLUMNS,
    ),
    KindInfo(
        kind="ClusterOpenSearchConnection",
        plural="clusteropensearchconnections",
        short_name="cosconn",
        description="How the namespaces that it allows reach one OpenSearch cluster, with an identity that"
        " stays with the platform team.",
        spec=ClusterOpenSearchConnectionSpec,
        status=OpenSearchConnectionStatus,
        columns=_CONNECTION_COLUMNS,
        scope="Cluster",
    ),
    KindInfo(
        kind="MLModelGroup",
        plural="mlmodelgroups",
        short_name="mlgroup",
        description="One model group of OpenSearch ML Commons.",
        spec=MLModelGroupSpec,
        status=MLModelGroupStatus,
        columns=(_READY, _STATUS, _CONNECTION, _ID, _AGE, *_WIDE),
        selectable_fields=(".spec.connectionRef.name", ".spec.deletionPolicy"),
    ),
    KindInfo(
        kind="MLConnector",
        plural="mlconnectors",
        short_name="mlc",
        description="One connector of OpenSearch ML Commons: how OpenSearch calls a remote service.",
        spec=MLConnectorSpec,
        status=MLConnectorStatus,
        columns=(_READY, _STATUS, _CONNECTION, _ID, _AGE, *_WIDE),
        selectable_fields=(".spec.connectionRef.name", ".spec.deletionPolicy"),
    ),
    KindInfo(
        kind="RemoteModel",
        plural="remotemodels",
        short_name="rmodel",
        description="One remote model of OpenSearch ML Commons: its registration and deployment.",
        spec=RemoteModelSpec,
        status=RemoteModelStatus,
        columns=(
            _READY,
            _STATUS,
            Column("STATE", ".status.state"),
            Column("NODES", ".status.workers.current", "integer"),
            _ID,
            _AGE,
            Column("PLANNED", ".status.workers.planned", "integer", wide=True),
            Column("CONNECTOR", ".spec.connectorRef.name", wide=True),
            Column("CONNECTION", ".status.connection", wide=True),
            *_WIDE,
        ),
        selectable_fields=(
            ".spec.connectionRef.name",
            ".spec.connectorRef.name",
            ".spec.modelGroupRef.name",
            ".spec.deletionPolicy",
        ),
    ),
    KindInfo(
        kind="MLClusterSettings",
        plural="mlclustersettings",
        short_name="mlsettings",
        description="Settings of the ML Commons plugin, kept on the cluster of one connection.",
        spec=MLClusterSettingsSpec,
        status=MLClusterSettingsStatus,
        columns=(_READY, _STATUS, _CONNECTION, _AGE, *_WIDE),
        selectable_fields=(".spec.connectionRef.name",),
    ),
)

_BY_NAME: Final = {info.kind: info for info in KINDS}


def kinds(*, cluster_wide: bool) -> tuple[KindInfo, ...]:
    """Return the kinds that an operator can watch: one of single namespaces sees only what is in them."""
    return tuple(info for info in KINDS if cluster_wide or info.scope == "Namespaced")


def by_kind(kind: str) -> KindInfo:
    """Return the entry of a kind; KeyError when it is none of ours."""
    return _BY_NAME[kind]
