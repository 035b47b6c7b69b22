"""What is sent for a model group, and what counts as a difference."""

from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.models.group import MLModelGroupSpec
from opensearch_ml_operator.reconcilers.group import bodies
from support.memory_ports import Stage

MARKER = "k8smluidMLModelGrouponegr1"
RESTRICTED = {"mode": "restricted", "backendRoles": ["a", "b"]}
SPECS: dict[str, dict[str, Any]] = {
    "minimal": {},
    "described": {"name": "shown", "description": "For search."},
    "public": {"access": {"mode": "public"}},
    "private": {"access": {"mode": "private"}},
    "roles": {"access": RESTRICTED},
    "all-roles": {"access": {"mode": "restricted", "addAllBackendRoles": True}},
}


def desired(spec: dict[str, Any]) -> dict[str, Any]:
    stage = Stage()
    model = MLModelGroupSpec.model_validate({"connectionRef": {"name": "main"}, **spec})
    return bodies.desired(stage.add("MLModelGroup", "one"), model)


def shown(body: dict[str, Any]) -> dict[str, Any]:
    """Return the group as GET shows it: `access` for `access_mode`, and the roles that "all" stood for."""
    document = {key: value for key, value in body.items() if key in {"name", "description"}}
    if "access_mode" in body:
        document["access"] = body["access_mode"]
    roles = ["x", "y"] if body.get("add_all_backend_roles") else body.get("backend_roles")
    return document | ({"backend_roles": roles[::-1]} if roles else {}) | {"latest_version": 3}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_what_the_server_shows_of_what_was_sent_is_no_difference(spec: dict[str, Any]) -> None:
    body = desired(spec)

    assert bodies.difference(body, shown(body), changed=False) == {}


@pytest.mark.parametrize(
    ("before", "after", "update"),
    [
        pytest.param("minimal", {"name": "shown"}, {"name": "shown"}, id="name"),
        pytest.param("minimal", {"description": "x"}, {"description": f"x {MARKER}"}, id="description-added"),
        pytest.param("described", {"name": "shown"}, {"description": MARKER}, id="description-removed"),
        pytest.param("public", {"access": {"mode": "private"}}, {"access_mode": "private"}, id="mode"),
        pytest.param(
            "roles",
            {"access": {"mode": "restricted", "backendRoles": ["a"]}},
            {"access_mode": "restricted", "backend_roles": ["a"]},
            id="roles",
        ),
        pytest.param(
            "private",
            {"access": RESTRICTED},
            {"access_mode": "restricted", "backend_roles": ["a", "b"]},
            id="mode-and-roles",
        ),
        pytest.param(
            "roles",
            SPECS["all-roles"],
            {"access_mode": "restricted", "add_all_backend_roles": True},
            id="roles-to-all-roles",
        ),
        pytest.param(
            "all-roles",
            {"access": RESTRICTED},
            {"access_mode": "restricted", "backend_roles": ["a", "b"]},
            id="all-roles-to-roles",
        ),
        pytest.param("public", {}, {}, id="access-left-out-means-as-it-is"),
    ],
)
def test_a_change_is_exactly_the_update(before: str, after: dict[str, Any], update: dict[str, Any]) -> None:
    assert bodies.difference(desired(after), shown(desired(SPECS[before])), changed=True) == update


def test_restricted_is_never_sent_without_its_roles() -> None:
    left_over = shown(desired(SPECS["private"])) | {"backend_roles": ["a", "b"]}

    update = bodies.difference(desired(SPECS["roles"]), left_over, changed=True)

    assert update == {"access_mode": "restricted", "backend_roles": ["a", "b"]}


def test_a_mode_that_somebody_has_changed_is_put_back_with_all_roles() -> None:
    meddled = shown(desired(SPECS["private"]))

    update = bodies.difference(desired(SPECS["all-roles"]), meddled, changed=False)

    assert update == {"access_mode": "restricted", "add_all_backend_roles": True}
