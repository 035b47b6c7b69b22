"""The state of the fake cluster, and the rules that all kinds of objects share."""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from .documents import Doc, Documents
from .refusals import SAFE_TEXT, illegal, invalid, refused
from .settings import is_on
from .word_index import WordIndex

DeployOutcome = Literal["deployed", "partial", "failed", "stuck"]

_SAFE = re.compile(r"[\w\s.,!?():@\-/'\"]*")
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,511}")
_ACCESS = ("access_mode", "backend_roles", "add_all_backend_roles")


@dataclass(slots=True)
class Call:
    """One request, as the server logs it."""

    operation: str
    method: str
    path: str
    id: str = ""
    query: dict[str, str] = field(default_factory=dict)
    body: Doc | None = None
    user: str = ""
    opaque_id: str | None = None
    status: int | None = None
    """The answer's status; None as long as there is none, and when the connection was cut."""


@dataclass(slots=True, kw_only=True)
class Cluster:
    """Everything but HTTP. Times are in seconds."""

    release: tuple[int, int]
    number: str
    new_id: Callable[[], str]
    clock: Callable[[], float]
    defaults: Doc
    users: dict[str, str]
    nodes: tuple[str, ...]
    deploy_seconds: float
    register_seconds: float
    task_lag: float
    late: float
    name: str = "fake"
    uuid: str = "fakeClusterUuid0000001"
    persistent: Doc = field(default_factory=dict)
    transient: Doc = field(default_factory=dict)
    loaded: dict[str, str] = field(default_factory=dict)
    """Which connector serves each model that is in the nodes' memory."""
    away: dict[str, str] = field(default_factory=dict)
    """The same of a node that has left the cluster, with all that is in its memory."""
    stale: dict[str, str] = field(default_factory=dict)
    """Which other connector a node that has come back goes on with, for each such model."""
    stuck: set[str] = field(default_factory=set)
    """Models of which a failed deploy has left an entry in the nodes' memory."""
    stuck_on_one: set[str] = field(default_factory=set)
    """Models of which it has done so on the last node alone."""
    deploy_outcomes: deque[DeployOutcome] = field(default_factory=deque)
    predictions: list[tuple[str, str]] = field(default_factory=list)
    """(model id, id of the connector that served it), for each prediction."""
    model_answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    """What the model service says, by the URL of the connector's first action: status and body."""
    model_keys: dict[str, set[str]] = field(default_factory=dict)
    """The credentials that the model service accepts, by the same URL; any when there is no entry."""
    registers: int = 0
    connectors: Documents = field(init=False)
    groups: Documents = field(init=False)
    models: Documents = field(init=False)
    tasks: Documents = field(init=False)
    agents: Documents = field(init=False)
    ingest_pipelines: dict[str, Doc] = field(default_factory=dict)
    search_pipelines: dict[str, Doc] = field(default_factory=dict)
    _timers: set[asyncio.TimerHandle] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.connectors = Documents(".plugins-ml-connector", clock=self.clock, late=self.late)
        self.groups = Documents(".plugins-ml-model-group", clock=self.clock, late=self.late)
        self.models = Documents(".plugins-ml-model", clock=self.clock, late=self.late)
        self.tasks = Documents(".plugins-ml-task", clock=self.clock, late=self.late)
        self.agents = Documents(".plugins-ml-agent", clock=self.clock, late=self.late)

    def index_words(self) -> None:
        """Give searches an index of the words, from the next write on."""
        for documents in (self.connectors, self.groups, self.models, self.tasks, self.agents):
            documents.words = WordIndex()

    @property
    def refreshes_updates(self) -> bool:
        """Since 3.3 an update by a client is seen by the next search."""
        return self.release >= (3, 3)

    def now(self) -> int:
        """Milliseconds since the epoch, as documents have them."""
        return int(time.time() * 1000)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something when the answer is out."""

        def run() -> None:
            self._timers.discard(handle)
            action()

        handle = asyncio.get_running_loop().call_later(seconds, run)
        self._timers.add(handle)

    def stop_timers(self) -> None:
        """Do none of it."""
        for handle in self._timers:
            handle.cancel()
        self._timers.clear()

    def access_control(self, kind: str) -> bool:
        """Whether objects of this kind (connector, model) belong to someone."""
        return bool(self.users) and is_on(self, f"{kind}_access_control_enabled")

    def access(self, kind: str, body: Doc, user: str, words: str) -> Doc:
        """Return `access`, roles and owner of a new object; `words` is what the refusals call it."""
        mode = body.get("access_mode")
        mode = mode.lower() if isinstance(mode, str) and mode.lower() in _MODES else None
        roles = body.get("backend_roles") or []
        if not self.access_control(kind):
            if mode or roles or body.get("add_all_backend_roles") is not None:
                raise illegal(
                    f"You cannot specify {kind} access control parameters because the Security plugin or "
                    f"{kind} access control is disabled on your cluster."
                )
            return {}
        if roles and mode not in {None, "restricted"}:
            raise illegal(
                f"You can specify backend roles only for a {words} with the restricted access mode."
            )
        if mode == "restricted" and not roles and not body.get("add_all_backend_roles"):
            raise illegal(_NO_ROLES[kind])
        owner: Doc = {"name": user, "backend_roles": ["admin"], "roles": ["own_index", "all_access"]}
        owner |= {"custom_attribute_names": [], "user_requested_tenant": None}
        access = "restricted" if roles else mode or "private"
        return {"owner": owner, "access": access} | ({"backend_roles": roles} if roles else {})

    def check_text(self, words: str, value: Any, *, required: bool = False) -> None:
        """Refuse a name or description as 3.1 and later do; before, everything is let pass."""
        if self.release < (3, 1) or value is None:
            return
        if required and not str(value).strip():
            raise invalid(f"{words} is required and cannot be null or blank")
        if not _SAFE.fullmatch(str(value)):
            raise invalid(f"{words} {SAFE_TEXT}")

    def chosen_id(self, body: Doc, kind: str, documents: Documents) -> str:
        """Return the id: the client's own choice since 3.9, silently ignored before."""
        chosen = body.get(f"{kind}_id")
        if chosen is None or self.release < (3, 9):
            return self.new_id()
        label = f"{kind.replace('_', ' ')} id"
        if not _CUSTOM_ID.fullmatch(chosen):
            raise illegal(
                f"{label} must contain only letters, digits, underscores, and hyphens, "
                "and must start with a letter or digit"
            )
        if chosen in documents.docs:
            raise refused(409, f"{label} '{chosen}' already exists")
        return str(chosen)


_MODES = {"public", "private", "restricted"}
_NO_ROLES = {
    "connector": "You must specify at least one backend role or make the connector public/private for "
    "registering it.",
    "model": "You must specify one or more backend roles or add all backend roles to register a restricted "
    "model group.",
}


def text(body: Doc, name: str, *, update: bool = False) -> str | None:
    """Read a field that must be text; null and objects are refused, by a 500 when creating."""
    if name not in body:
        return None
    value = body[name]
    if value is None or isinstance(value, dict | list):
        token = "VALUE_NULL" if value is None else "START_OBJECT"
        type_ = "parse_exception" if update else "illegal_state_exception"
        raise refused(400 if update else 500, f"Can't get text on a {token} at 1:16", type_)
    return str(value)
