"""What must be true of every history (A1 to A9), judged by the calls alone: nothing here knows the operator.

Only the contract is known: the finalizer, the marker in the description of a remote object, `status.pending`.
Each function yields a sentence for each breach.
"""

from __future__ import annotations

import base64
import bisect
import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from .history import Entry, History
from .naming import kube_target, opensearch_id, opensearch_operation
from .users import CANARY

MARKER: Final = re.compile(r"k8sml([0-9a-f]{32})([gcm])r(\d+)(?: [0-9a-f]{16})?(?: k8smlin[0-9a-f]{32})?")
CREATES: Final = {"create-group": "Group", "create-connector": "Connector", "register-model": "Model"}
TOUCHES: Final = frozenset(
    {"update-group", "update-model", "delete-group", "delete-connector", "delete-model"}
    | {"update-connector", "undeploy-model", "deploy-model", "predict"}
)
_WITH_CREDENTIALS: Final = {"create-connector", "update-connector", "register-model", "update-model"}
RATE: Final = 6
"""How often in a minute the very same request may be sent; more is a storm."""
_LETTERS: Final = {"g": "Group", "c": "Connector", "m": "Model"}
_ID_OF: Final = {
    "create-group": "model_group_id",
    "create-connector": "connector_id",
    "register-model": "model_id",
}


def breaches(history: History, condemned: Collection[str] = ()) -> list[str]:
    """Return all breaches of what must always be so.

    `condemned` are ids of orphans that were not made here, and that a person has named for deletion.
    """
    found = [*_order_of_effects(history, condemned), *_secrets(history), *_storms(history)]
    return list(dict.fromkeys(found))


@dataclass(slots=True)
class _Ledger:
    """What the servers hold, as it follows from their answers."""

    finalized: set[str] = field(default_factory=set)
    """Uids (hex) in which a finalizer stands."""
    intents: dict[str, str] = field(default_factory=dict)
    """The standing intent of each uid, as text."""
    used: set[str] = field(default_factory=set)
    """Uids whose standing intent has been used."""
    alive: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """Living remote objects: uid, role and revision by id."""
    born: dict[str, str] = field(default_factory=dict)
    """The uid of every remote object that was ever made here."""
    absent: set[str] = field(default_factory=set)
    """Ids of which a GET has said that they are not there."""
    copies: set[tuple[str, str, str]] = field(default_factory=set)
    adopted: dict[str, str] = field(default_factory=dict)
    """The uid of the resource that has each adopted object on record."""
    kept: set[str] = field(default_factory=set)
    """Uids of resources whose objects are not to be deleted with them."""
    ids: dict[str, str] = field(default_factory=dict)
    """The id that each uid has on record."""
    condemned: Collection[str] = ()


def _order_of_effects(history: History, condemned: Collection[str]) -> Iterator[str]:
    ledger = _Ledger(condemned=condemned)
    events = [(entry.sent_at, 0, entry) for entry in history.sent if entry.server == "opensearch"]
    events += [(entry.answered_at or 0.0, 1, entry) for entry in history.answered]
    position = {id(entry): number for number, entry in enumerate(history.answered)}
    events.sort(key=lambda event: (event[0], event[1], position.get(id(event[2]), 0)))
    for _, answered, entry in events:
        if not answered:
            yield from _sent(ledger, entry)
        elif entry.server == "kube":
            yield from _kube_answered(ledger, entry)
        else:
            yield from _opensearch_answered(ledger, entry)


def _sent(ledger: _Ledger, entry: Entry) -> Iterator[str]:
    operation = opensearch_operation(entry.request)
    if operation in CREATES and not entry.copy:
        identity = _identity(entry.body)
        if identity is None:
            yield f"A3: {operation} without a marker"
            return
        uid, role, revision = identity
        if uid not in ledger.finalized:
            yield f"A1: {operation} before a finalizer stands"
        intent = ledger.intents.get(uid, "null")
        said = json.loads(intent) or {}
        if (said.get("role"), str(said.get("revision"))) != (role, revision):
            yield f"A2: {operation} of revision {revision} without its intent, {intent} stands"
        elif uid in ledger.used:
            yield f"A2, A8: {operation} is sent twice for one intent"
        ledger.used.add(uid)
    elif operation in TOUCHES:
        yield from _touched(ledger, operation, opensearch_id(entry.request))


def _touched(ledger: _Ledger, operation: str, id_: str) -> Iterator[str]:
    deletes = operation.startswith("delete-")
    if id_ in ledger.born:
        owner = ledger.born[id_]
        if deletes and owner in ledger.kept and ledger.ids.get(owner) == id_:
            yield f"A3: {operation} of {id_}, which is to be retained"
    elif id_ in ledger.adopted:
        if deletes:
            yield f"A3: {operation} of {id_}, which was adopted"
    elif id_ not in ledger.condemned:
        yield f"A3: {operation} of {id_}, which is nobody's here"


def _kube_answered(ledger: _Ledger, entry: Entry) -> Iterator[str]:
    for body in _objects(entry):
        metadata = body["metadata"]
        uid = metadata["uid"].replace("-", "")
        wrote = entry.request.method != "GET" and entry.applied
        yield from _recorded(ledger, uid, body)
        if metadata.get("finalizers"):
            ledger.finalized.add(uid)
        elif wrote and uid in ledger.finalized:
            ledger.finalized.discard(uid)
            yield from _released(ledger, uid, body)
        pending = json.dumps((body.get("status") or {}).get("pending"), sort_keys=True)
        if (wrote or uid not in ledger.intents) and ledger.intents.get(uid) != pending:
            ledger.intents[uid] = pending
            ledger.used.discard(uid)


def _recorded(ledger: _Ledger, uid: str, body: dict[str, Any]) -> Iterator[str]:
    """Note which object a resource has, and how it came by it."""
    status, spec = body.get("status") or {}, body.get("spec") or {}
    id_ = str(status.get("id"))
    ledger.ids[uid] = id_
    if spec.get("deletionPolicy") == "Retain":
        ledger.kept.add(uid)
    if status.get("origin") != "Adopted":
        return
    ledger.adopted[id_] = uid
    wish = spec.get("adopt") or {}
    if wish.get("id", id_) != id_ or not wish:
        yield f"A3: {body['kind']} {body['metadata']['name']} adopts {id_}, its spec says {wish}"


def _released(ledger: _Ledger, uid: str, body: dict[str, Any]) -> Iterator[str]:
    for id_ in [id_ for id_, owner in ledger.adopted.items() if owner == uid]:
        del ledger.adopted[id_]
    if uid in ledger.kept:
        return
    who = f"{body['kind']} {body['metadata']['name']}"
    for id_, (owner, role, _) in ledger.alive.items():
        if owner == uid:
            yield f"A9: {who} lets go while its {role} {id_} exists"
    unproven = [id_ for id_, owner in ledger.born.items() if owner == uid and id_ not in ledger.absent]
    if (body.get("status") or {}).get("id") in unproven:
        yield f"A9: {who} lets go, and no GET has said that its object is gone"


def _opensearch_answered(ledger: _Ledger, entry: Entry) -> Iterator[str]:
    operation = opensearch_operation(entry.request)
    id_ = opensearch_id(entry.request)
    if operation in CREATES and entry.applied:
        identity, made = _identity(entry.body), str(entry.answer.get(_ID_OF[operation]))
        if identity is None:
            return
        ledger.born[made] = identity[0]
        ledger.alive[made] = identity
        if entry.copy:
            ledger.copies.add(identity)
        number = sum(other == identity for other in ledger.alive.values())
        if number > (2 if identity in ledger.copies else 1):
            yield f"A4: {number} living objects of {identity[1]} revision {identity[2]}"
    elif operation.startswith("delete-") and entry.applied:
        ledger.alive.pop(id_, None)
    elif operation.startswith("get-") and entry.response is not None and entry.response.status == 404:
        ledger.absent.add(id_)
        ledger.alive.pop(id_, None)  # somebody else has deleted it


def _identity(body: dict[str, Any]) -> tuple[str, str, str] | None:
    found = MARKER.search(str(body.get("description", "")))
    return None if found is None else (found[1], _LETTERS[found[2]], found[3])


def _objects(entry: Entry) -> Iterable[dict[str, Any]]:
    """Return our objects in an answer of the API server."""
    resource, _, _ = kube_target(entry.request.path)
    answer = entry.answer
    if not entry.applied or entry.request.watches or "opensearchml.io" not in entry.request.path:
        return ()
    if resource and answer.get("kind", "").endswith("List"):
        return [{"kind": answer["kind"][:-4], **item} for item in answer.get("items") or ()]
    return [answer] if "metadata" in answer and "uid" in answer["metadata"] else ()


def _secrets(history: History) -> Iterator[str]:
    """A5 and A6: a credential goes into the body of a connector and nowhere else."""
    spellings = tuple(_spellings(CANARY))
    for entry in history.sent:
        text = b"\n".join([entry.request.target.encode(), _without_credentials(entry), *_values(entry)])
        if any(each in text for each in spellings):
            yield f"A5: a credential in {entry.request.method} {entry.request.path}"
        if entry.server == "opensearch" and entry.request.header("Authorization").startswith("Bearer"):
            yield "A6: the token of the API server goes to OpenSearch"
        if entry.server == "kube" and entry.request.header("Authorization").startswith("Basic"):
            yield "A6: the password of OpenSearch goes to the API server"


def _without_credentials(entry: Entry) -> bytes:
    """Return what is sent, without what stands where the credentials of a connector belong."""
    raw, operation = entry.request.body, opensearch_operation(entry.request)
    if entry.server != "opensearch" or operation not in _WITH_CREDENTIALS:
        return raw
    body = entry.body
    connector = body if operation.endswith("connector") else body.get("connector")
    if not isinstance(connector, dict) or "credential" not in connector:
        return raw
    connector["credential"] = None
    return json.dumps(body).encode()


def _values(entry: Entry) -> Iterator[bytes]:
    return (value.encode() for name, value in entry.request.headers if name.lower() != "authorization")


def _spellings(text: str) -> Iterator[bytes]:
    raw = text.encode()
    yield raw
    yield raw.hex().encode()
    yield text.encode("utf-16-le")
    for offset in range(3):
        whole = base64.b64encode(b"\0" * offset + raw)
        yield whole[4 if offset else 0 : -4]


def _storms(history: History) -> Iterator[str]:
    """A7: no request with an effect is repeated without pause by one process."""
    moments: dict[tuple[str, int, str, bytes], list[float]] = defaultdict(list)
    for entry in history.effects():
        name, life = entry.label.rpartition(" #")[0], bisect.bisect(history.starts, entry.sent_at)
        what = (f"{entry.sender} {name}", life, entry.request.path, entry.request.body)
        moments[what].append(entry.sent_at)
    for (name, *_), times in moments.items():
        for index, moment in enumerate(times):
            number = sum(moment <= other < moment + 60 for other in times[index:])
            if number > RATE:
                yield f"A7: {name} {number} times within a minute"
                break


def is_in_doubt(history: History) -> bool:
    """Whether an intent to create something stood in a status at the last fault."""
    fated = [entry for entry in history.sent if entry.fate]
    if not fated:
        return False
    last, standing = fated[-1], dict[str, str]()
    for entry in history.answered:
        if entry.server != "kube" or (entry is not last and (entry.answered_at or 0.0) > last.sent_at):
            continue
        for body in _objects(entry):
            pending = (body.get("status") or {}).get("pending") or {}
            standing[body["metadata"]["uid"]] = str(pending.get("role"))
    return any(role in _LETTERS.values() for role in standing.values())


def counts(history: History, since: int = 0) -> Counter[str]:
    """Return how often each call was carried out, without its occurrence."""
    return Counter(entry.label.rpartition(" #")[0] for entry in history.effects(since) if entry.applied)
