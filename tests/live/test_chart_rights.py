"""The operator runs with the rights that its chart gives it, in both modes, and asks for no others."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import pytest

from stack.controlplane import ControlPlane
from stack.local import Stack
from stack.operator_process import OperatorProcess, start_operator

WATCHED, FOREIGN = "rights-watched", "rights-foreign"
DEADLINE = 30.0


def apply_connection(control_plane: ControlPlane, namespace: str) -> None:
    documents = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "login", "namespace": namespace},
            "stringData": {"username": "operator"},
        },
        {
            "apiVersion": "opensearchml.io/v1alpha1",
            "kind": "OpenSearchConnection",
            "metadata": {"name": "main", "namespace": namespace},
            "spec": {
                "endpoints": ["http://127.0.0.1:9"],
                "auth": {"basic": {"secretRef": {"name": "login"}}},
                "healthInterval": "5s",
            },
        },
    ]
    document = "\n---\n".join(map(json.dumps, documents))
    control_plane.run_kubectl("apply", "--filename=-", document=document)


def reason(control_plane: ControlPlane, namespace: str) -> str:
    path = '{.status.conditions[?(@.type=="Ready")].reason}'
    where = ("--namespace", namespace, f"--output=jsonpath={path}")
    return control_plane.run_kubectl("get", "osconn", "main", *where)


def until(control_plane: ControlPlane, namespace: str, wanted: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while (found := reason(control_plane, namespace)) != wanted:
        assert time.monotonic() < deadline, f"{wanted} is not seen, but {found!r}"
        time.sleep(0.1)


@pytest.mark.parametrize("watch", [(), (WATCHED,)], ids=["cluster-wide", "namespaced"])
def test_the_charts_rights_are_enough(
    local_stack: Stack, control_plane: ControlPlane, watch: Sequence[str]
) -> None:
    mode = "namespaced" if watch else "cluster-wide"
    operator = start_operator(local_stack, namespace=f"rights-{mode}", release=mode, watch=watch)
    try:
        for namespace in (WATCHED, FOREIGN):
            apply_connection(control_plane, namespace)
        # Seen, our finalizer set, the Secret read, the status written.
        until(control_plane, WATCHED, "SecretKeyMissing")
        if watch:
            assert reason(control_plane, FOREIGN) == ""
        else:
            until(control_plane, FOREIGN, "SecretKeyMissing")
        for namespace in (WATCHED, FOREIGN):
            wait = f"--wait={str(namespace == WATCHED or not watch).lower()}"
            control_plane.run_kubectl("delete", "osconn", "main", "--namespace", namespace, wait)
        refused_nothing(operator)
    finally:
        operator.stop()


def refused_nothing(operator: OperatorProcess) -> None:
    log = [json.loads(line)["message"] for line in operator.log_file.read_text().splitlines()]
    assert log
    assert [message for message in log if "orbidden" in message or "403" in message] == []
