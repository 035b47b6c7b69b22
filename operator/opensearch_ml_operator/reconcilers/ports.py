"""What the reconcilers need from outside, as protocols; `opensearch` and `kube` implement them.

Every call has a time limit of its own. Errors are those of `errors.py`, nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from ..models.snapshot import ObjectKey, Snapshot
from .aws import Signing

GateName: TypeAlias = Literal["group", "register", "deploy", "probe", "settings"]


@dataclass(frozen=True, slots=True)
class SecretData:
    """One Secret or ConfigMap, as read: `revision` changes whenever its bytes may have changed."""

    revision: str
    data: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Hit:
    """A remote object: its id and its document as GET or `_search` shows it (never with credentials)."""

    id: str
    source: Mapping[str, Any]

    @property
    def plain(self) -> Mapping[str, Any]:
        """The document, of which everything can be read at no further cost."""
        return dict(self.source.items())


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What the health check of a connection found."""

    version: str
    distribution: str
    cluster_name: str
    cluster_uuid: str
    capabilities: tuple[str, ...]
    private_addresses_allowed: bool
    tasks_at_once: Mapping[GateName, int] = field(default_factory=dict)
    """How many registers and deploys its nodes run before they refuse more; empty when nobody may know."""


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """The settings of ML Commons by full name; the configuration file's values are among the defaults.

    `transient` wins over `persistent`. Values are texts, or lists of texts.
    """

    persistent: Mapping[str, Any] = field(default_factory=dict)
    transient: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AccountToken:
    """A token of the operator's own ServiceAccount: for whom, and how many seconds it lives."""

    audience: str
    seconds: int


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate chain and its key, both PEM."""

    chain: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """All that a client needs to know of its connection, resolved; times in seconds.

    Of the identities at most one is set. Two equal settings make the same client. Credentials stay out of
    the repr.
    """

    endpoints: tuple[str, ...]
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    bearer: str | None = field(default=None, repr=False)
    account_token: AccountToken | None = None
    certificate: ClientCertificate | None = None
    signing: Signing | None = None
    ca: bytes | None = None
    """PEM certificates to trust instead of the public ones."""
    imprint: str = ""
    """A word that goes into the description of everything that is made, to prove where it comes from."""
    server_name: str | None = None
    """The name to ask for and verify instead of the endpoint's host."""
    connect_timeout: float = 5.0
    read_timeout: float = 10.0
    requests_per_second: int | None = None
    burst: int | None = None
    """Requests at once after a pause; as many as in a second when None."""
    max_in_flight: int = 16
    max_registers: int = 4
    max_deploys: int = 4
    verify: bool = True
    """False trusts whoever answers."""
    max_probes: int = 4
    """A slow provider must not take all requests in flight."""


@dataclass(frozen=True, slots=True)
class Registered:
    """The answer to a register; `model_id` is there since 2.11."""

    model_id: str
    task_id: str


@dataclass(frozen=True, slots=True)
class Mentions:
    """Who names an object by its id, each as a person knows it."""

    pipelines: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    """What we have no right to read, or the server does not have: "agents", for example."""


class MLCommons(Protocol):
    """The typed calls of one OpenSearch cluster. All raise `MLError`; no POST is ever sent twice."""

    async def server_info(self) -> ServerInfo:
        """Ask who answers and whether ML Commons is there and may be used."""

    async def read_settings(self) -> ClusterSettings:
        """Read all settings of ML Commons as they stand."""

    async def update_settings(self, changes: Mapping[str, Any]) -> None:
        """Set persistent settings, all or none of them; None resets one."""

    async def create_connector(self, body: Mapping[str, Any]) -> str:
        """Create a connector and return its id."""

    async def get_connector(self, connector_id: str) -> Hit | None:
        """Read a connector; None when the server says that there is none."""

    async def update_connector(self, connector_id: str, body: Mapping[str, Any]) -> None:
        """Change a connector in place. No key of its parameters or credentials goes away by that."""

    async def delete_connector(self, connector_id: str) -> None:
        """Ask for deletion; a missing one is no error, and success is no proof."""

    async def create_group(self, body: Mapping[str, Any]) -> str:
        """Register a model group and return its id."""

    async def get_group(self, group_id: str) -> Hit | None:
        """Read a model group; None when the server says that there is none."""

    async def update_group(self, group_id: str, body: Mapping[str, Any]) -> None:
        """Change a model group in place."""

    async def delete_group(self, group_id: str) -> None:
        """Ask for deletion; a missing one is no error, and success is no proof."""

    async def register_model(self, body: Mapping[str, Any]) -> Registered:
        """Register a remote model."""

    async def get_model(self, model_id: str) -> Hit | None:
        """Read a model; None when the server says that there is none."""

    async def update_model(self, model_id: str, body: Mapping[str, Any]) -> None:
        """Change a model in place; loaded nodes reload their connector when `connector_id` is in the body."""

    async def delete_model(self, model_id: str) -> None:
        """Ask for deletion; a missing one is no error, and success is no proof."""

    async def deploy_model(self, model_id: str) -> str:
        """Ask for deployment and return the task id; the answer says nothing about success."""

    async def undeploy_model(self, model_id: str) -> None:
        """Ask for undeployment; the answer says nothing about success."""

    async def loaded_nodes(self, model_id: str) -> int:
        """Count the nodes whose memory holds the model (the profile API)."""

    async def predict(self, model_id: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call the model once and return the answer. The server may deploy the model for it."""

    async def get_task(self, task_id: str) -> Mapping[str, Any] | None:
        """Read a task; None when it is not there."""

    async def search_marker(self, kind: str, marker: str) -> tuple[Hit, ...]:
        """Find the objects of `kind` (connector, group, model) whose description holds this very marker."""

    async def search_markers(self, kind: str, stem: str) -> tuple[Hit, ...]:
        """Find the objects of `kind` whose description holds a marker that is `stem` and a number."""

    async def search_imprint(self, kind: str) -> tuple[Hit, ...]:
        """Find the objects of `kind` that were made through this very connection: name, description, time."""

    async def search_users(self, kind: str, object_id: str) -> tuple[Hit, ...]:
        """Find the models that use this connector, or are in this group, also those that are not ours."""

    async def mentions(self, object_id: str, *, max_age: float = 5.0) -> Mentions:
        """Find the pipelines and agents that name this id, as they were at most `max_age` seconds ago."""

    async def search_name(self, kind: str, name: str) -> tuple[Hit, ...]:
        """Find the objects of `kind` that have this very name."""

    async def observe(self, kind: str, object_id: str, *, max_age: float) -> Hit | None:
        """Read through the batch: at most `max_age` seconds old, one `_search` for many objects.

        None only after a GET has confirmed that the object is not there.
        """

    def expect(self, kind: str, object_id: str) -> None:
        """Read this object with the next batch, because somebody will ask for it soon."""

    def forget(self, kind: str, object_id: str) -> None:
        """Stop reading this object in batches."""


class Gate(Protocol):
    """Lets few in at a time and never makes anyone wait: who is refused is woken when there is room."""

    def try_enter(self, owner: ObjectKey, lane: str) -> bool:
        """Enter (True, also for an owner who is inside already), or be parked; one owner per lane at most."""

    def leave(self, owner: ObjectKey) -> None:
        """Leave, or stop being parked, and wake whoever fits now; no error for a stranger."""


class ConnectionPool(Protocol):
    """The clients of the connections, by key of the connection object."""

    def client(self, key: ObjectKey) -> MLCommons | None:
        """Return the client, or None until the first health check of these settings is over."""

    def available(self, key: ObjectKey) -> bool:
        """Whether the last health check succeeded and no call has failed to get through since."""

    def private_addresses_allowed(self, key: ObjectKey) -> bool:
        """Whether the cluster lets connectors call private addresses, as the last health check saw it."""

    def gate(self, key: ObjectKey, name: GateName) -> Gate:
        """Return the gate that keeps these requests of the connection few, and apart from each other."""

    async def put(self, key: ObjectKey, settings: ConnectionSettings) -> MLCommons:
        """Return the client with these settings, made anew (and not available yet) if they have changed."""

    async def drop(self, key: ObjectKey) -> None:
        """Forget the connection; its client is closed when the calls in flight are done."""

    def report(self, key: ObjectKey, found: ServerInfo | None) -> None:
        """Record the result of a health check: what it found, None when the cluster cannot be used."""


class StatusStore(Protocol):
    """Reads and writes our objects in Kubernetes."""

    async def read(self, key: ObjectKey) -> Snapshot | None:
        """Read the object live; None when it does not exist."""

    async def read_all(self, kind: str, namespace: str) -> tuple[Snapshot, ...]:
        """Read all objects of a kind in a namespace live, so that the catalog knows every one of them."""

    async def write(self, snapshot: Snapshot, status: Mapping[str, Any]) -> Snapshot:
        """Replace the status by compare-and-set on the snapshot's resourceVersion; no request if it is equal.

        Raises StatusConflictError, ObjectGoneError, KubernetesUnavailableError, KubernetesForbiddenError.
        """


class SecretSource(Protocol):
    """Reads Secrets and ConfigMaps by name; nothing of what they hold is kept."""

    async def secret(self, namespace: str, name: str) -> SecretData | None:
        """Read a Secret; None when it does not exist."""

    async def revision(self, namespace: str, name: str, *, max_age: float) -> str | None:
        """Return the revision that a Secret had at most `max_age` seconds ago; None without the Secret."""

    async def config_map(self, namespace: str, name: str) -> SecretData | None:
        """Read a ConfigMap; None when it does not exist."""


@dataclass(frozen=True, slots=True)
class Owner:
    """One owner of a Kubernetes object, by its ownerReferences."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Export:
    """One ConfigMap or Secret that is ours to write, or turns out not to be; `data` as text."""

    uid: str
    resource_version: str
    owners: tuple[Owner, ...]
    data: Mapping[str, str] = field(repr=False)


class ExportStore(Protocol):
    """Writes ConfigMaps and Secrets, each only as it was read; `kind` says which of the two.

    Raises StatusConflictError, ObjectGoneError, KubernetesUnavailableError, KubernetesForbiddenError;
    OperatorError when the API server does not take it.
    """

    async def read(self, kind: str, namespace: str, name: str) -> Export | None:
        """Read one; None when it does not exist."""

    async def create(self, kind: str, name: str, *, owner: Snapshot, data: Mapping[str, str]) -> None:
        """Create one in its owner's namespace, which goes when its owner goes."""

    async def patch(
        self, kind: str, namespace: str, name: str, *, before: Export, data: Mapping[str, str | None]
    ) -> None:
        """Set keys, or remove those that are None."""

    async def delete(self, kind: str, namespace: str, name: str, *, before: Export) -> None:
        """Delete it."""


class TokenSource(Protocol):
    """Gives out tokens of the operator's own ServiceAccount, and renews them in time."""

    def allowed(self, audience: str) -> bool:
        """Whether the installation lets connections have tokens for this audience."""

    async def token(self, wanted: AccountToken) -> str:
        """Return a token that is good for some time yet; raises the errors of Kubernetes."""

    def forget(self, wanted: AccountToken) -> None:
        """Renew the token at the next call: it was refused."""


class EventSink(Protocol):
    """Posts Kubernetes Events, without waiting and without ever failing."""

    def post(self, snapshot: Snapshot, *, kind: str, reason: str, message: str) -> None:
        """Post an Event about the object; `kind` is Normal or Warning."""


class Catalog(Protocol):
    """The newest known snapshots, and who refers to whom."""

    def get(self, key: ObjectKey) -> Snapshot | None:
        """Return the newest snapshot, or None when the object is unknown."""

    def all(self, kind: str) -> tuple[Snapshot, ...]:
        """Return the newest snapshots of all known objects of a kind."""

    def dependents(self, key: ObjectKey) -> tuple[ObjectKey, ...]:
        """Return the objects whose spec refers to this one."""

    @property
    def version(self) -> object:
        """What is another one after a change of who refers to whom, or of a namespace's labels."""

    def labels(self, namespace: str) -> Mapping[str, str] | None:
        """Return the labels of a namespace as they are now, or None when they are not known."""
