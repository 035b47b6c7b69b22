from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, create_model

from opensearch_ml_operator.crdgen.structural import UnstructuralError, filled, structural

Text = Annotated[str, Field(max_length=8)]


def schema_of(annotation: Any, default: Any = ..., *, defaults: bool = True) -> dict[str, Any]:
    """Return the structural schema of a model's only field, `field`."""
    model = create_model("Example", field=(annotation, default))
    schema: dict[str, Any] = structural(model, path="spec", defaults=defaults)["properties"]["field"]
    return schema


class Inner(BaseModel):
    """An inner object."""

    size: int = 3


class Outer(BaseModel):
    inner: Inner = Inner()


class Endless(BaseModel):
    child: Endless | None = None


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


def test_an_optional_field_is_its_type_without_null() -> None:
    assert schema_of(Text | None, None) == {"type": "string", "maxLength": 8}


def test_a_reference_is_written_out_and_the_words_beside_it_win() -> None:
    assert schema_of(Inner) == {
        "description": "An inner object.",
        "type": "object",
        "properties": {"size": {"type": "integer", "default": 3}},
    }
    assert schema_of(Annotated[Inner, Field(description="Beside.")])["description"] == "Beside."
    assert schema_of(Annotated[Inner | None, Field(description="Beside.")], None)["description"] == "Beside."


def test_a_default_object_is_empty_so_that_each_default_stands_once() -> None:
    assert schema_of(Outer, Outer())["default"] == {}
    assert schema_of(Outer, Outer())["properties"]["inner"]["default"] == {}


def test_a_status_has_no_defaults() -> None:
    assert "default" not in schema_of(Inner, Inner(), defaults=False)
    assert "default" not in schema_of(Inner, Inner(), defaults=False)["properties"]["size"]


def test_a_single_literal_is_an_enum() -> None:
    assert schema_of(Literal["Swap"]) == {"type": "string", "enum": ["Swap"]}


def test_an_exclusive_bound_is_a_bound_and_a_mark() -> None:
    assert schema_of(Annotated[float, Field(gt=0, lt=2)]) == {
        "type": "number",
        "minimum": 0,
        "exclusiveMinimum": True,
        "maximum": 2,
        "exclusiveMaximum": True,
    }


def test_maps_and_free_form_maps() -> None:
    assert schema_of(Annotated[dict[str, Text], Field(max_length=2)]) == {
        "type": "object",
        "maxProperties": 2,
        "additionalProperties": {"type": "string", "maxLength": 8},
        "x-kubernetes-map-type": "atomic",
    }
    assert schema_of(Annotated[dict[str, Any], Field(max_length=2)]) == {
        "type": "object",
        "maxProperties": 2,
        "x-kubernetes-preserve-unknown-fields": True,
        "x-kubernetes-map-type": "atomic",
    }


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        pytest.param(str, "spec.field: needs maxLength", id="unbounded string"),
        pytest.param(list[Text], "spec.field: needs maxItems", id="unbounded list"),
        pytest.param(dict[str, Text], "spec.field: needs maxProperties", id="unbounded map"),
        pytest.param(dict[str, Any], "spec.field: needs maxProperties", id="unbounded free-form map"),
        pytest.param(
            Annotated[list[str], Field(max_length=2)],
            r"spec\.field\[\]: needs maxLength",
            id="unbounded item",
        ),
        pytest.param(
            Annotated[dict[str, str], Field(max_length=2)],
            r"spec\.field\[\*\]: needs maxLength",
            id="unbounded map value",
        ),
        pytest.param(Annotated[SecretStr, Field(max_length=8)], "format 'password'", id="secret"),
        pytest.param(Annotated[bytes, Field(max_length=8)], "format 'binary'", id="bytes"),
        pytest.param(timedelta, "format 'duration'", id="ISO 8601 duration"),
        pytest.param(tuple[Text, int], "prefixItems", id="tuple"),
        pytest.param(Annotated[set[Text], Field(max_length=2)], "uniqueItems", id="set"),
        pytest.param(int | bool, "spec.field: a union", id="union"),
        pytest.param(Inner | Outer, "spec.field: a union", id="union of objects"),
        pytest.param(Endless, "spec.field.child: Endless contains itself", id="recursion"),
        pytest.param(Closed, "additionalProperties False", id="closed object"),
        pytest.param(Any, "type None", id="anything"),
        pytest.param(None, "type 'null'", id="null"),
        pytest.param(
            Annotated[list[Inner], Field(max_length=2)],
            r"spec\.field\[\]\.size: a default inside a list item",
            id="default inside a list item",
        ),
    ],
)
def test_what_has_no_structural_form_is_refused_with_its_path(annotation: Any, words: str) -> None:
    with pytest.raises(UnstructuralError, match=words):
        schema_of(annotation)


def test_a_default_object_that_differs_from_its_fields_is_refused() -> None:
    with pytest.raises(UnstructuralError, match="differs from the defaults"):
        schema_of(Inner, Inner(size=4))


def test_defaults_are_filled_in_like_the_api_server_does() -> None:
    schema = structural(Outer, path="spec", defaults=True)

    assert filled({}, schema) == {"inner": {"size": 3}}
    assert filled({"inner": {}}, schema) == {"inner": {"size": 3}}
    assert filled({"inner": {"size": 1}, "other": 2}, schema) == {"inner": {"size": 1}, "other": 2}
