"""The table of values, as the comments of values.yaml tell it: `# --` above a key, in helm-docs' manner."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_KEY = re.compile(r"( *)([A-Za-z]+):")


@dataclass(frozen=True, slots=True)
class Value:
    """One documented value: its path with dots, its default and what the comment says."""

    path: str
    default: Any
    description: str

    @property
    def row(self) -> str:
        """The row of the table in the chart's README.md."""
        return f"| `{self.path}` | `{json.dumps(self.default)}` | {self.description} |"


def documented_values(path: Path) -> list[Value]:
    """Return every commented value, and every leaf without a comment as one with an empty description."""
    text = path.read_text()
    comments = dict(_comments(text.splitlines()))
    return [
        Value(name, default, comments.get(name, ""))
        for name, default in _values(yaml.safe_load(text), comments.keys())
    ]


def _comments(lines: list[str]) -> Iterator[tuple[str, str]]:
    parents: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in lines:
        words = line.strip()
        if words.startswith("#"):
            comment = [words[4:].strip()] if words.startswith("# --") else [*comment, words[1:].strip()]
        elif key := _KEY.match(line):
            indent = len(key[1])
            parents = [*(parent for parent in parents if parent[0] < indent), (indent, key[2])]
            if comment:
                yield ".".join(name for _, name in parents), " ".join(comment)
            comment = []


def _values(values: dict[str, Any], commented: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and value and path not in commented:
            yield from _values(value, commented, f"{path}.")
        else:
            yield path, value
