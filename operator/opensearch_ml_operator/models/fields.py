"""Field types that mean the same to pydantic and to the API server: bounded strings, list maps, sets.

Patterns use only what Go's RE2 and Rust's regex read alike: explicit character classes, no look-around.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

DURATION_PATTERN: Final = r"^([0-9]{1,5}(\.[0-9]{1,3})?(ms|s|m|h))+$"
WHOLE_SECONDS_PATTERN: Final = r"^([0-9]{1,5}(s|m|h))+$"

Duration = Annotated[str, Field(pattern=DURATION_PATTERN, max_length=32)]
"""A Go-style duration; five digits per part keep it far from overflow in the API server's `duration()`."""

WholeSeconds = Annotated[str, Field(pattern=WHOLE_SECONDS_PATTERN, max_length=32)]
"""A duration for a server that knows no fractions of a second."""

ObjectName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    ),
]
"""A Kubernetes object name (RFC 1123 subdomain)."""

DataKey = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
"""A key of a Secret's or ConfigMap's data."""

RemoteID = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[A-Za-z0-9_-]+$")]
"""A document id of ML Commons (`MLResourceIdUtils`: at most 512 bytes)."""

RemoteName = Annotated[str, Field(min_length=1, max_length=256)]
"""A name in OpenSearch; over 256 characters its uniqueness check no longer sees it (`name.keyword`)."""

Description = Annotated[str, Field(max_length=4096)]
ShortText = Annotated[str, Field(max_length=1024)]
LongText = Annotated[str, Field(max_length=65536)]
Timestamp = Annotated[str, Field(max_length=64, json_schema_extra={"format": "date-time"})]
"""RFC 3339, as Kubernetes writes it."""

JSONPath = Annotated[
    str,
    Field(
        max_length=256,
        pattern=r"^[A-Za-z0-9_-]+(\[[0-9]{1,4}\])*(\.[A-Za-z0-9_-]+(\[[0-9]{1,4}\])*)*$",
    ),
]
"""A path into a JSON document: keys with dots between them, `[n]` for the n-th item of a list, from 0."""

FreeForm = Annotated[dict[str, Any], Field(max_length=128)]
"""A map whose values may be any JSON; the API server keeps it as it is."""


@dataclass(frozen=True, slots=True)
class ListMap:
    """Marks a list whose items are told apart by one required string field (list type `map`)."""

    key: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def check(items: list[Any]) -> list[Any]:
            _refuse_duplicates(getattr(item, self.key) for item in items)
            return items

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(schema) | {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [self.key]}


@dataclass(frozen=True, slots=True)
class ListSet:
    """Marks a list of scalars that may not repeat and whose order means nothing (list type `set`)."""

    kind: Literal["set"] = "set"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def check(items: list[Any]) -> list[Any]:
            _refuse_duplicates(items)
            return items

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(schema) | {"x-kubernetes-list-type": self.kind}


def _refuse_duplicates(values: Any) -> None:
    seen: set[Hashable] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"duplicate entry {value!r}")
        seen.add(value)
