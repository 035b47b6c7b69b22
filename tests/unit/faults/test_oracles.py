"""Each oracle sees the breach that it is for, and nothing in a history as it should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from support.faults.history import Entry, History
from support.faults.oracles import breaches
from support.faults.users import CANARY
from support.faults.wire import Request, Response

UID = "6f0c1d2e-aaaa-bbbb-cccc-0123456789ab"
TOKEN = f"k8sml{UID.replace('-', '')}cr1"
PATH = "/apis/opensearchml.io/v1alpha1/namespaces/team/mlconnectors/connector"
CONNECTORS = "/_plugins/_ml/connectors"
INTENT = {"role": "Connector", "revision": 1, "attempt": 1}


class Teller:
    """Tells a history, one call a second."""

    def __init__(self) -> None:
        self.now = 0.0
        self.history = History(lambda: self.now)

    def call(
        self, server: Any, method: str, path: str, body: Any, status: int, answer: Any, *, copy: bool = False
    ) -> None:
        """Tell of a call and its answer."""
        self.now += 1
        request = Request(method, path, (), json.dumps(body).encode())
        label = f"{server}: {method} {path} #1" if method not in {"GET", "SEARCH"} else ""
        entry = Entry(server, 0, label, request, self.now, copy=copy)
        self.history.begin(entry)
        self.history.answer(entry, Response(status, (), json.dumps(answer).encode()))

    def write(
        self,
        *,
        finalizer: bool = True,
        pending: Any = None,
        id_: str | None = None,
        origin: str = "Created",
        **spec: Any,
    ) -> None:
        """Tell of a write to the connector."""
        metadata = {"name": "connector", "uid": UID, "finalizers": ["f"] if finalizer else []}
        status = {"pending": pending, "id": id_, "origin": origin}
        body = {"kind": "MLConnector", "metadata": metadata, "status": status, "spec": spec}
        self.call("kube", "PATCH", f"{PATH}/status", {"status": body["status"]}, 200, body)

    def create(self, id_: str, *, token: str = TOKEN, copy: bool = False, secret: str = "") -> None:
        """Tell of a create."""
        body = {"description": f"text {token}", "credential": secret}
        self.call("opensearch", "POST", f"{CONNECTORS}/_create", body, 200, {"connector_id": id_}, copy=copy)

    def delete(self, id_: str) -> None:
        """Tell of a deletion."""
        self.call("opensearch", "DELETE", f"{CONNECTORS}/{id_}", None, 200, {})

    def look(self, id_: str, status: int) -> None:
        """Tell of a read."""
        self.call("opensearch", "GET", f"{CONNECTORS}/{id_}", None, status, {})


def live(teller: Teller) -> None:
    """Tell how it should be, up to a known object."""
    teller.write()
    teller.write(pending=INTENT)
    teller.create("a", secret=f"{CANARY}value")
    teller.write(id_="a")


def live_and_die(teller: Teller) -> None:
    live(teller)
    teller.delete("a")
    teller.look("a", 404)
    teller.write(finalizer=False, id_="a")


def no_finalizer(teller: Teller) -> None:
    teller.write(finalizer=False, pending=INTENT)
    teller.create("a")


def no_intent(teller: Teller) -> None:
    teller.write()
    teller.create("a")


def another_intent(teller: Teller) -> None:
    teller.write(pending={**INTENT, "revision": 2})
    teller.create("a")


def sent_twice(teller: Teller) -> None:
    teller.write(pending=INTENT)
    teller.create("a")
    teller.create("b")


def a_stranger(teller: Teller) -> None:
    live(teller)
    teller.delete("theirs")


def unmarked(teller: Teller) -> None:
    teller.write(pending=INTENT)
    teller.create("a", token="")


def two_alive(teller: Teller) -> None:
    live(teller)
    teller.write(pending={**INTENT, "attempt": 2})
    teller.create("b")


def let_go_too_early(teller: Teller) -> None:
    live(teller)
    teller.write(finalizer=False, id_="a")


def let_go_unproven(teller: Teller) -> None:
    live(teller)
    teller.delete("a")
    teller.write(finalizer=False, id_="a")


def secret_in_status(teller: Teller) -> None:
    live(teller)
    body = {"status": {"message": f"{CANARY}value"}}
    teller.call("kube", "PATCH", f"{PATH}/status", body, 409, {})


def secret_encoded(teller: Teller) -> None:
    live(teller)
    teller.call("kube", "PATCH", f"{PATH}/status", {"x": CANARY.encode().hex()}, 409, {})


def secret_beside_its_place(teller: Teller) -> None:
    live(teller)
    body = {"description": f"{CANARY}value", "credential": {"token": f"{CANARY}value"}}
    teller.call("opensearch", "PUT", f"{CONNECTORS}/a", body, 200, {})


def secret_inside_a_model(teller: Teller) -> None:
    live(teller)
    body = {"connector": {"credential": {"token": f"{CANARY}value"}}}
    teller.call("opensearch", "PUT", "/_plugins/_ml/models/a", body, 200, {})


def adopted(teller: Teller) -> None:
    teller.write(id_="theirs", origin="Adopted", adopt={"id": "theirs"})
    teller.call("opensearch", "PUT", f"{CONNECTORS}/theirs", {"name": "x"}, 200, {})


def adopted_and_released(teller: Teller) -> None:
    adopted(teller)
    teller.write(finalizer=False, id_="theirs", origin="Adopted", adopt={"id": "theirs"})


def adopted_another(teller: Teller) -> None:
    teller.write(id_="others", origin="Adopted", adopt={"id": "theirs"})


def adopted_unasked(teller: Teller) -> None:
    teller.write(id_="theirs", origin="Adopted")


def adopted_and_deleted(teller: Teller) -> None:
    adopted(teller)
    teller.delete("theirs")


def changed_after_release(teller: Teller) -> None:
    adopted_and_released(teller)
    teller.call("opensearch", "PUT", f"{CONNECTORS}/theirs", {"name": "x"}, 200, {})


def retained(teller: Teller) -> None:
    live(teller)
    teller.write(finalizer=False, id_="a", deletionPolicy="Retain")


def retained_and_deleted(teller: Teller) -> None:
    live(teller)
    teller.write(id_="a", deletionPolicy="Retain")
    teller.delete("a")


def storm(teller: Teller) -> None:
    live(teller)
    for _ in range(7):
        teller.call("opensearch", "PUT", f"{CONNECTORS}/a", {"name": "x"}, 500, {})


@pytest.mark.parametrize("story", [live, live_and_die, adopted_and_released, retained])
def test_a_history_as_it_should_be(story: Callable[[Teller], None]) -> None:
    teller = Teller()
    story(teller)
    assert breaches(teller.history) == []


def test_who_has_a_connector_inside_sends_its_credential_with_it() -> None:
    teller = Teller()
    secret_inside_a_model(teller)
    assert not any(each.startswith("A5") for each in breaches(teller.history))


def test_an_orphan_that_a_person_has_named_may_be_deleted() -> None:
    teller = Teller()
    teller.delete("orphan")
    assert breaches(teller.history, ["orphan"]) == []
    assert breaches(teller.history)


def test_a_copy_made_by_the_network_is_not_the_operators_doing() -> None:
    teller = Teller()
    teller.write()
    teller.write(pending=INTENT)
    teller.create("a")
    teller.create("b", copy=True)
    assert breaches(teller.history) == []


@pytest.mark.parametrize(
    ("story", "oracle"),
    [
        (no_finalizer, "A1"),
        (no_intent, "A2"),
        (another_intent, "A2"),
        (sent_twice, "A2, A8"),
        (a_stranger, "A3"),
        (unmarked, "A3"),
        (two_alive, "A4"),
        (secret_in_status, "A5"),
        (secret_encoded, "A5"),
        (secret_beside_its_place, "A5"),
        (adopted_another, "A3"),
        (adopted_unasked, "A3"),
        (adopted_and_deleted, "A3"),
        (changed_after_release, "A3"),
        (retained_and_deleted, "A3"),
        (storm, "A7"),
        (let_go_too_early, "A9"),
        (let_go_unproven, "A9"),
    ],
)
def test_a_breach_is_seen(story: Callable[[Teller], None], oracle: str) -> None:
    teller = Teller()
    story(teller)
    assert oracle in {each.partition(":")[0] for each in breaches(teller.history)}
