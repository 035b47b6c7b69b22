"""Manifests that a command makes, as YAML that people go on editing, or as a JSON List."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from ..constants import API_VERSION
from .shell import Shell

_LONGEST_NAME: Final = 63


@dataclass(frozen=True, slots=True)
class Document:
    """One object, and what is to be said about it."""

    body: Mapping[str, Any]
    notes: Sequence[str] = ()


def ours(kind: str, name: str, namespace: str | None, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object of one of our kinds."""
    return _object(API_VERSION, kind, name, namespace) | {"spec": dict(spec)}


def secret(name: str, namespace: str | None, keys: Iterable[str]) -> dict[str, Any]:
    """Return a Secret whose values are still to be written: empty ones keep what needs it from going on."""
    return _object("v1", "Secret", name, namespace) | {"stringData": dict.fromkeys(keys, "")}


def show(shell: Shell, documents: Sequence[Document], *, as_json: bool) -> None:
    """Print the documents; notes are comments before their object, which JSON does not have."""
    if as_json:
        for document in documents:
            for note in document.notes if document.body["kind"] != "Secret" else ():
                shell.tell(f"{document.body['metadata']['name']}: {note}")
        items = [each.body for each in documents]
        shell.document({"apiVersion": "v1", "kind": "List", "items": items})
        return
    for document in documents:
        shell.say("---")
        for note in document.notes:
            shell.say(f"# {note}")
        text = yaml.dump(
            document.body, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_Dumper.width
        )
        shell.say(text.rstrip("\n"))


def object_name(words: str, taken: set[str]) -> str:
    """Return a name that Kubernetes takes, made of some words, and none of those that are taken."""
    plain = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:_LONGEST_NAME].strip("-") or "unnamed"
    name, number = plain, 1
    while name in taken:
        number += 1
        end = f"-{number}"
        name = plain[: _LONGEST_NAME - len(end)].rstrip("-") + end
    taken.add(name)
    return name


def _object(version: str, kind: str, name: str, namespace: str | None) -> dict[str, Any]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such, and does not break the others."""

    width = 10_000

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out."""
        del data
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
