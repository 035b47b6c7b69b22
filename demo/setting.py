"""Who acts in the demo: the administrator who makes the users, the operator, and the application."""

from __future__ import annotations

import contextlib
import json
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from demo.kubectl import Kubectl
from demo.quickstart import NAMESPACE, Quickstart, new_key
from demo.remote import take_inventory
from demo.scenario import Scenario
from demo.screen import Screen
from stack.local import Stack

OPERATOR: Final = "ml-operator"
OPERATOR_ROLE = Path(__file__).parents[1] / "deploy" / "opensearch-role" / "role.json"
APPLICATION: Final = "search-application"
APPLICATION_ROLE: Final = {"cluster_permissions": ["cluster:admin/opensearch/ml/predict"]}


@contextlib.contextmanager
def open_scenario(stack: Stack, version: str, *, screen: Screen, chance: random.Random) -> Iterator[Scenario]:
    """Set up what the cluster needs, and return a scenario that has not begun.

    With Security there are two users: the operator's, with the role that is shipped for it, and an
    application's that may only predict. The administrator only makes them, and counts what is left.
    """
    node = stack.opensearch(version)
    secured = node.username is not None
    folder = Path(tempfile.mkdtemp(prefix="quickstart-", dir=stack.folder))
    plan = Quickstart(folder, node, stack.model_server, OPERATOR if secured else None)
    login: tuple[str, str] | tuple[()] = ()
    if secured:
        node.create_user(OPERATOR, plan.password, OPERATOR, json.loads(OPERATOR_ROLE.read_text()))
        login = (APPLICATION, new_key())
        node.create_user(*login, APPLICATION, APPLICATION_ROLE)
    with node.client() as administrator:
        before = take_inventory(administrator)
    try:
        with node.client(*login) as application:
            yield Scenario(
                screen=screen,
                kubectl=Kubectl(stack.control_plane, NAMESPACE),
                node=node,
                model_server=stack.model_server,
                quickstart=plan,
                application=application,
                before=before,
                chance=chance,
            )
    finally:
        stack.model_server.accept_keys(None)
