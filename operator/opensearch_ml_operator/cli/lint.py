"""`lint`: judge manifests before they are applied: schema, rules, references, and what is likely a mistake.

The schema and the rules are those of the CRDs. No server is asked, so it fits into a pre-commit hook.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from ..constants import API_VERSION
from ..crdgen import definition
from ..models.kinds import by_kind
from ..reconcilers.conditions import Fact
from ..reconcilers.settings.claims import wish
from . import options as shared
from .advice import advise
from .exits import Exit, usage
from .findings import Finding
from .manifests import OURS, Manifest, Place, load
from .shell import Shell


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="file, folder or - for stdin")
    shared.output(parser)


async def run(options: argparse.Namespace, shell: Shell) -> Exit:
    """Print the findings by file and line; PROBLEMS when one of them is an error."""
    manifests = [each for each in load(options.files, sys.stdin) if each.body.get("kind")]
    if not any(each.of_our_group for each in manifests):
        raise usage("there is no object of ours in these files")
    found = sorted(findings(manifests), key=lambda each: (each.file, each.line, each.message))
    errors = sum(each.error for each in found)
    if options.output == "json":
        shell.document([each.document() for each in found])
    else:
        for each in found:
            shell.say(str(each))
        shell.tell(f"objects: {len(manifests)}, errors: {errors}, advice: {len(found) - errors}")
    return Exit.PROBLEMS if errors else Exit.OK


def findings(manifests: list[Manifest]) -> Iterator[Finding]:
    """Return all that there is to say about these objects together."""
    good: list[Manifest] = []
    for manifest in manifests:
        found = list(_alone(manifest)) if manifest.of_our_group else []
        yield from found
        if not any(each.error for each in found):
            good.append(manifest)
    yield from _twice(manifests)
    yield from advise(good, manifests)


def _alone(manifest: Manifest) -> Iterator[Finding]:
    if not manifest.ours:
        known = manifest.kind in OURS
        words = f"the version must be {API_VERSION}" if known else f"{manifest.kind!r} is none of our kinds"
        yield Finding.of(manifest, ("apiVersion" if known else "kind",), words)
        return
    if not manifest.name:
        yield Finding.of(manifest, ("metadata",), "metadata.name is missing")
    info = by_kind(manifest.kind)
    schema = definition(info)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    yield from _unknown(manifest, manifest.body, {**schema, "properties": _whole(schema)}, ())
    try:
        spec = info.spec.model_validate(manifest.spec)
    except ValidationError as error:
        for one in error.errors():
            message = one["msg"].removeprefix("Value error, ")
            yield Finding.of(manifest, ("spec", *one["loc"]), message)
        return
    if manifest.kind == "MLClusterSettings":
        read: Any = wish(spec)  # type: ignore[arg-type] # it is the spec of this kind
        if isinstance(read, Fact):
            yield Finding.of(manifest, ("spec",), read.message)


def _whole(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an object, without the metadata, which Kubernetes itself knows."""
    return {**schema["properties"], "metadata": {"x-kubernetes-preserve-unknown-fields": True}}


def _unknown(manifest: Manifest, value: Any, schema: Mapping[str, Any], place: Place) -> Iterator[Finding]:
    """Return the fields that the API server would drop, or kubectl refuse."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown(manifest, item, schema.get("items", {}), (*place, index))
    if not isinstance(value, Mapping) or schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    fields = schema.get("properties")
    if fields is None:
        return
    for name, child in value.items():
        if name in fields:
            yield from _unknown(manifest, child, fields[name], (*place, name))
        elif place or name not in {"apiVersion", "kind", "metadata", "status"}:
            near = _nearest(str(name), fields)
            hint = f"; did you mean {near}?" if near else ""
            yield Finding.of(manifest, (*place, name), f"there is no such field{hint}")


def _nearest(name: str, fields: Mapping[str, Any]) -> str | None:

    return next(iter(difflib.get_close_matches(name, fields, n=1)), None)


def _twice(manifests: list[Manifest]) -> Iterator[Finding]:
    seen: dict[tuple[str, str, str], Manifest] = {}
    for manifest in manifests:
        key = (manifest.kind, manifest.namespace, manifest.name)
        first = seen.setdefault(key, manifest)
        if first is not manifest and manifest.ours:
            words = f"this object stands in {first.file}:{first.line()} too"
            yield Finding.of(manifest, ("metadata", "name"), words)
