"""What a spec asks for, and which of several objects has a setting."""

from __future__ import annotations

from typing import Any

import pytest

from opensearch_ml_operator.models.settings import MLClusterSettingsSpec
from opensearch_ml_operator.models.snapshot import ObjectKey, Snapshot
from opensearch_ml_operator.reconcilers.conditions import Fact
from opensearch_ml_operator.reconcilers.settings.claims import TRUSTED, Claim, Wish, wish

PREFIX = "plugins.ml_commons."
ENTRY = "^https://models.example/.*$"


def read(**spec: Any) -> Wish | Fact:
    return wish(MLClusterSettingsSpec.model_validate({"connectionRef": {"name": "main"}, **spec}))


@pytest.mark.parametrize(
    ("given", "value"),
    [
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (0.75, "0.75"),
        ("5gb", "5gb"),
        ("", ""),
        (["data", 1, True], ("data", "1", "true")),
        ([], ()),
    ],
)
@pytest.mark.parametrize("name", ["a.b_c", f"{PREFIX}a.b_c"])
def test_values_are_what_the_server_will_show(name: str, given: Any, value: Any) -> None:
    assert read(settings={name: given}) == Wish({f"{PREFIX}a.b_c": value})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"plugins.security.restapi.enabled": True}, "only settings of plugins.ml_commons.*"),
        ({"plugins.ml_commons": True}, "only settings of plugins.ml_commons.*"),
        ({"plugins.ml_commons.": True}, "only settings of plugins.ml_commons.*"),
        ({"*": True}, "only settings of plugins.ml_commons.*"),
        ({"a.*": True}, "only settings of plugins.ml_commons.*"),
        ({"a b": True}, "only settings of plugins.ml_commons.*"),
        ({"": True}, "only settings of plugins.ml_commons.*"),
        ({"a\n": True}, "only settings of plugins.ml_commons.*"),
        ({"a": 1, f"{PREFIX}a": 2}, "given twice"),
        ({"a": None}, "a text, a number, a boolean or a list"),
        ({"a": {"b": 1}}, "a text, a number, a boolean or a list"),
        ({"a": [["b"]]}, "a text, a number, a boolean or a list"),
        ({"a": [None]}, "a text, a number, a boolean or a list"),
    ],
)
def test_what_is_no_setting_of_the_plugin_is_never_sent(settings: dict[str, Any], words: str) -> None:
    fact = read(settings=settings)

    assert isinstance(fact, Fact)
    assert (fact.reason, fact.stalled) == ("InvalidSpec", True)
    assert words in fact.message


def test_the_list_is_either_set_whole_or_added_to() -> None:
    fact = read(settings={TRUSTED: [ENTRY]}, trustedEndpoints={"add": [ENTRY]})

    assert isinstance(fact, Fact)
    assert fact.reason == "InvalidSpec"


@pytest.mark.parametrize(
    "spec",
    [
        {"trustedEndpoints": {"add": [ENTRY, "["]}},
        {"settings": {"trusted_connector_endpoints_regex": [ENTRY, "["]}},
        {"settings": {"trusted_connector_endpoints_regex": "["}},
        {"settings": {"trusted_connector_private_endpoints_regex": ["["]}},
    ],
)
def test_a_broken_pattern_is_never_sent(spec: dict[str, Any]) -> None:
    fact = read(**spec)

    assert isinstance(fact, Fact)
    assert (fact.reason, fact.stalled) == ("Rejected", True)
    assert "'['" in fact.message


def test_a_pattern_alone_is_a_list_of_one() -> None:
    assert read(settings={TRUSTED: ENTRY}) == Wish({TRUSTED: (ENTRY,)})


def claim(name: str, *, created: int = 0, status: dict[str, Any] | None = None, **spec: Any) -> Claim:
    deleting = spec.pop("deleting", False)
    return Claim.of(
        Snapshot(
            key=ObjectKey("MLClusterSettings", "team", name),
            uid=f"uid-{name}",
            resource_version="1",
            generation=1,
            created=f"2026-01-01T00:00:{created:02}Z",
            deleting=deleting,
            finalizer=True,
            spec={"connectionRef": {"name": "main"}, **spec},
            status=status or {},
        )
    )


X: dict[str, Any] = {"settings": {"x": 1}}
WHOLE: dict[str, Any] = {"settings": {TRUSTED: [ENTRY]}}
ADDS: dict[str, Any] = {"trustedEndpoints": {"add": [ENTRY]}}
HOLDS_X: dict[str, Any] = {"previous": {f"{PREFIX}x": {}}}
HOLDS_WHOLE: dict[str, Any] = {"previous": {TRUSTED: {}}}
ADDED: dict[str, Any] = {"trustedEndpoints": {"default": True, "before": [], "added": [ENTRY]}}


@pytest.mark.parametrize(
    ("mine", "other", "blocked"),
    [
        pytest.param(claim("b", created=2, **X), claim("a", created=1, **X), True, id="older-wins"),
        pytest.param(claim("a", created=1, **X), claim("b", created=2, **X), False, id="younger-loses"),
        pytest.param(claim("b", **X), claim("a", **X), True, id="uid-decides-within-a-second"),
        pytest.param(
            claim("b", created=2, **X), claim("a", created=1, settings={"y": 1}), False, id="other-setting"
        ),
        pytest.param(
            claim("b", created=2, **X),
            claim("a", created=1, settings={f"{PREFIX}x": 1}),
            True,
            id="one-setting-two-spellings",
        ),
        pytest.param(
            claim("b", created=2, **X), claim("a", created=1, **X, deleting=True), False, id="going"
        ),
        pytest.param(
            claim("b", created=2, **X),
            claim("a", created=1, **X, deleting=True, status=HOLDS_X),
            True,
            id="going-but-not-gone",
        ),
        pytest.param(
            claim("a", created=1, **X),
            claim("b", created=2, **X, status=HOLDS_X),
            True,
            id="younger-has-not-let-go-yet",
        ),
        pytest.param(
            claim("a", created=1, **X, status=HOLDS_X),
            claim("b", created=2, **X, status=HOLDS_X),
            False,
            id="both-hold-older-keeps",
        ),
        pytest.param(
            claim("b", created=2, **X, status=HOLDS_X),
            claim("a", created=1, **X, status=HOLDS_X),
            True,
            id="both-hold-younger-lets-go",
        ),
        pytest.param(
            claim("b", created=2, **X),
            claim("a", created=1, settings={"x": None}),
            False,
            id="useless-spec-claims-nothing",
        ),
        pytest.param(
            claim("b", created=2, **X),
            claim("a", created=1, settings="x"),
            False,
            id="broken-spec-claims-nothing",
        ),
        pytest.param(
            claim("b", created=2, **X),
            claim("a", created=1, status={"previous": "x", "trustedEndpoints": 1}),
            False,
            id="broken-status-holds-nothing",
        ),
        pytest.param(claim("b", created=2, **ADDS), claim("a", created=1, **ADDS), False, id="adders-share"),
        pytest.param(
            claim("b", created=2, **ADDS), claim("a", created=1, **WHOLE), True, id="whole-list-is-older"
        ),
        pytest.param(
            claim("b", created=2, **WHOLE), claim("a", created=1, **ADDS), True, id="adder-is-older"
        ),
        pytest.param(
            claim("a", created=1, **WHOLE),
            claim("b", created=2, **ADDS, status=ADDED),
            True,
            id="adder-has-not-let-go-yet",
        ),
        pytest.param(
            claim("a", created=1, **ADDS),
            claim("b", created=2, **WHOLE, status=HOLDS_WHOLE),
            True,
            id="whole-list-has-not-been-let-go-yet",
        ),
    ],
)
def test_who_has_a_setting(mine: Claim, other: Claim, *, blocked: bool) -> None:
    (name,) = mine.wish.settings or (TRUSTED,)

    assert mine.in_the_way(name, [other]) == (other if blocked else None)


def test_an_adder_gets_along_with_a_younger_whole_list_when_an_older_one_adds() -> None:
    whole = claim("b", created=2, **WHOLE)

    assert claim("c", created=3, **ADDS).in_the_way(TRUSTED, [claim("a", created=1, **ADDS), whole]) is None
