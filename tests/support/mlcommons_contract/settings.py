"""The settings of the plugin: what is stored of them, what is refused, and what is shown."""

from __future__ import annotations

from typing import Any

from opensearch_ml_operator.errors import MLCode, MLError

from .target import Target

PREFIX = "plugins.ml_commons."
SWITCH = f"{PREFIX}safe_delete_model"
NUMBER = f"{PREFIX}max_register_model_tasks_per_node"
ROLES = f"{PREFIX}task_dispatcher.eligible_node_role.remote_model"


async def settings_stay_as_they_were_written(t: Target) -> None:
    given = {SWITCH: "true", NUMBER: "007", ROLES: ["data", "ml"]}
    await t.client.update_settings(given)
    shown = await t.client.read_settings()
    assert {name: shown.persistent[name] for name in given} == given
    assert not given.keys() & shown.defaults.keys()
    await t.client.update_settings({ROLES: "data,ml"})
    assert (await t.client.read_settings()).persistent[ROLES] == "data,ml"
    await t.client.update_settings(dict.fromkeys(given))
    shown = await t.client.read_settings()
    assert not given.keys() & shown.persistent.keys()
    assert {name: shown.defaults[name] for name in given} == {
        SWITCH: "false",
        NUMBER: "10",
        ROLES: ["data", "ml"],
    }


async def numbers_and_booleans_become_text(t: Target) -> None:
    await t.client.update_settings({SWITCH: True, NUMBER: 7})
    shown = (await t.client.read_settings()).persistent
    assert (shown[SWITCH], shown[NUMBER]) == ("true", "7")
    await t.client.update_settings({SWITCH: None, NUMBER: None})


async def a_refused_setting_changes_nothing(t: Target) -> None:
    unknown = f"{PREFIX}no_such_setting"
    refused: list[tuple[dict[str, Any], str]] = [
        ({SWITCH: "true", unknown: "1"}, f"persistent setting [{unknown}], not recognized"),
        ({SWITCH: "maybe"}, "Failed to parse value [maybe] as only [true] or [false] are allowed."),
        ({unknown: None}, f"persistent setting [{unknown}], not recognized"),
    ]
    for changes, words in refused:
        try:
            await t.client.update_settings(changes)
        except MLError as error:
            assert (error.code, error.message) == (MLCode.REJECTED, words)  # noqa: PT017 - each must raise
            continue
        raise AssertionError(changes)
    assert SWITCH not in (await t.client.read_settings()).persistent


async def only_settings_of_the_plugin_are_shown(t: Target) -> None:
    shown = await t.client.read_settings()
    assert all(name.startswith(PREFIX) for name in (*shown.persistent, *shown.defaults))


CHECKS = (
    settings_stay_as_they_were_written,
    numbers_and_booleans_become_text,
    a_refused_setting_changes_nothing,
    only_settings_of_the_plugin_are_shown,
)
