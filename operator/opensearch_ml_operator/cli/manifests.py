"""Reads manifests from files, and remembers on which line each field stands; and requests as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO, TypeAlias

import yaml

from ..constants import API_VERSION, GROUP
from ..models.kinds import KINDS
from ..models.snapshot import ObjectKey, Snapshot
from .exits import usage

Place: TypeAlias = tuple[str | int, ...]
OURS: Final = frozenset(info.kind for info in KINDS)
_SUFFIXES: Final = {".yaml", ".yml", ".json"}


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object of a file, as it was written."""

    file: str
    body: Mapping[str, Any]
    lines: Mapping[Place, int]

    @property
    def kind(self) -> str:
        """The kind; empty when there is none."""
        return str(self.body.get("kind", ""))

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self._metadata.get("name", ""))

    @property
    def namespace(self) -> str:
        """The namespace; empty when the file leaves it open."""
        return str(self._metadata.get("namespace") or "")

    @property
    def spec(self) -> Mapping[str, Any]:
        """The spec; empty when there is none."""
        spec = self.body.get("spec")
        return spec if isinstance(spec, Mapping) else {}

    @property
    def ours(self) -> bool:
        """Whether it is of one of our kinds, in the version that we know."""
        return self.body.get("apiVersion") == API_VERSION and self.kind in OURS

    @property
    def of_our_group(self) -> bool:
        """Whether it means to be ours."""
        return str(self.body.get("apiVersion", "")).startswith(f"{GROUP}/")

    def line(self, place: Sequence[str | int] = ()) -> int:
        """Return the line of a field, or of the nearest thing around it that is there."""
        for length in range(len(place), -1, -1):
            if (found := self.lines.get(tuple(place[:length]))) is not None:
                return found
        return 1

    def snapshot(self, namespace: str) -> Snapshot:
        """Return the object as the API server would store it, but for what only it can know."""
        return Snapshot(
            key=ObjectKey(self.kind, self.namespace or namespace, self.name),
            uid="<uid>",
            resource_version="",
            generation=1,
            created="",
            deleting=False,
            finalizer=True,
            spec=self.spec,
        )

    @property
    def _metadata(self) -> Mapping[str, Any]:
        metadata = self.body.get("metadata")
        return metadata if isinstance(metadata, Mapping) else {}


def load(paths: Sequence[str], stdin: TextIO) -> list[Manifest]:
    """Read files, folders with all below them, and `-` for stdin. Raises CommandError for what is no YAML."""
    found: list[Manifest] = []
    for path in paths:
        if path == "-":
            found += _parse("stdin", stdin.read())
            continue
        root = Path(path)
        files = (
            sorted(each for each in root.rglob("*") if each.suffix in _SUFFIXES) if root.is_dir() else [root]
        )
        for file in files:
            found += _parse(str(file), file.read_text("utf-8"))
    return found


def read_request(file: str) -> Mapping[str, Any]:
    """Read the JSON of a request from a file, or from stdin for `-`. Raises CommandError."""
    text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    try:
        body = json.loads(text)
    except ValueError as error:
        raise usage(f"{file}: {error}") from None
    if not isinstance(body, dict):
        raise usage(f"{file}: a request is a JSON object")
    return body


def _parse(file: str, text: str) -> Iterator[Manifest]:
    try:
        loader = yaml.SafeLoader(text)
        while loader.check_node():
            node = loader.get_node()
            if node is None:
                continue
            body = loader.construct_document(node)
            yield from _objects(file, body, dict(_lines((), node)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f":{mark.line + 1}" if mark is not None else ""
        raise usage(f"{file}{line}: {error.problem}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise usage(f"{file}: {error}") from None


def _objects(file: str, body: Any, lines: Mapping[Place, int]) -> Iterator[Manifest]:
    """Yield one object, or those of a List."""
    if not isinstance(body, Mapping):
        return
    items = body.get("items")
    if not isinstance(items, list):
        yield Manifest(file, body, lines)
        return
    for index, item in enumerate(items):
        if isinstance(item, Mapping):
            inside = {place[2:]: line for place, line in lines.items() if place[:2] == ("items", index)}
            yield Manifest(file, item, inside)


def _lines(place: Place, node: yaml.Node) -> Iterator[tuple[Place, int]]:
    yield place, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inside = (*place, str(key.value))
            yield from _lines(inside, value)
            yield inside, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines((*place, index), value)
