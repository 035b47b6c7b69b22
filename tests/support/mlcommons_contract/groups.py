"""Model groups."""

from __future__ import annotations

import pytest

from opensearch_ml_operator.errors import MLCode, MLError

from .target import ML, Target, unique

_SAFE = "can only contain letters, numbers, spaces, and basic punctuation (.,!?():@-_'/\")"


async def a_group_is_shown_as_it_was_made(t: Target) -> None:
    name = unique("group")
    group = t.made("group", await t.client.create_group({"name": name, "description": "text", "bogus": 1}))
    document = await t.document("group", group)
    assert isinstance(document.pop("created_time"), int)
    assert isinstance(document.pop("last_updated_time"), int)
    owner = document.pop("owner", None)
    assert (owner is not None) is t.secured
    access = "private" if t.secured else "public"
    assert document == {"name": name, "description": "text", "latest_version": 0, "access": access}


async def a_taken_name_is_refused_with_the_id_of_who_has_it(t: Target) -> None:
    name = unique("group")
    group = t.made("group", await t.client.create_group({"name": name}))
    with pytest.raises(MLError) as refused:
        await t.client.create_group({"name": name})
    assert (refused.value.code, refused.value.ids) == (MLCode.NAME_TAKEN, (group,))
    assert (
        refused.value.message
        == f"The name you provided is already being used by a model group with ID: {group}."
    )
    other = await t.group()
    with pytest.raises(MLError) as refused:
        await t.client.update_group(other, {"name": name})
    assert (refused.value.code, refused.value.ids) == (MLCode.NAME_TAKEN, (group,))


async def letters_of_all_languages_are_letters(t: Target) -> None:
    name = unique("größe 大小 ½")
    group = t.made("group", await t.client.create_group({"name": name, "description": name}))
    assert (await t.document("group", group))["name"] == name


async def a_group_changes_in_place_but_a_blank_description_is_ignored(t: Target) -> None:
    group, name = await t.group(description="before"), unique("renamed")
    await t.client.update_group(group, {"description": ""})
    assert (await t.document("group", group))["description"] == "before"
    await t.client.update_group(group, {"name": name, "description": "after"})
    document = await t.document("group", group)
    assert (document["name"], document["description"]) == (name, "after")


async def a_group_with_models_stays(t: Target) -> None:
    group = await t.group()
    model = await t.model(model_group_id=group)
    with pytest.raises(MLError) as refused:
        await t.client.delete_group(group)
    assert refused.value.code is MLCode.IN_USE
    assert refused.value.message == "Cannot delete the model group when it has associated model versions"
    await t.client.delete_model(model)
    assert (await t.document("group", group))["latest_version"] == 1
    await t.client.delete_group(group)
    assert await t.client.get_group(group) is None


async def bad_groups_are_refused(t: Target) -> None:
    answer = await t.raw("POST", f"{ML}/model_groups/_register", {})
    assert answer.error == (500, "null_pointer_exception", "model group name must not be null")
    answer = await t.raw("POST", f"{ML}/model_groups/_register", {"name": "a=b;" + unique("x")})
    if t.is_3:
        words = f"Validation Failed: 1: Model group name {_SAFE};"
        assert answer.error == (400, "action_request_validation_exception", words)
    else:
        t.made("group", answer.body["model_group_id"])
    if not t.secured:
        answer = await t.raw(
            "POST", f"{ML}/model_groups/_register", {"name": unique("group"), "access_mode": "private"}
        )
        words = (
            "You cannot specify model access control parameters because the Security plugin or model access "
            "control is disabled on your cluster."
        )
        assert answer.error == (400, "illegal_argument_exception", words)


CHECKS = (
    a_group_is_shown_as_it_was_made,
    a_taken_name_is_refused_with_the_id_of_who_has_it,
    letters_of_all_languages_are_letters,
    a_group_changes_in_place_but_a_blank_description_is_ignored,
    a_group_with_models_stays,
    bad_groups_are_refused,
)
