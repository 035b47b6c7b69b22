"""What schema and rules cannot see: references, placeholders, addresses, and secrets in the open. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ..models.snapshot import ObjectKey
from ..reconcilers.conditions import Fact
from ..reconcilers.connector import endpoint
from ..reconcilers.references import (
    CLUSTER_CONNECTION,
    CONNECTION,
    CONNECTOR,
    GROUP,
    MODEL,
    connection_key,
)
from . import admission
from .findings import Finding
from .manifests import Manifest, Place

_REFERENCES: Final = {"connectionRef": CONNECTION, "connectorRef": CONNECTOR, "modelGroupRef": GROUP}
_CREDENTIAL: Final = re.compile(r"\$\{credential\.([^}]+)\}")
_SECRET_NAME: Final = re.compile(r"(?i)authorization|api[-_]?key|token|secret|password")
_PLACEHOLDER: Final = re.compile(r"\$\{[^}]+\}")
_MOST: Final = 8
"""Characters of a value that may stand in the open beside a placeholder, such as `Bearer `."""


def advise(manifests: Sequence[Manifest], all_: Sequence[Manifest]) -> Iterator[Finding]:
    """Return findings about objects whose own spec is good; `all_` may be referred to."""
    for manifest in manifests:
        if not manifest.ours:
            continue
        yield from _references(manifest, all_)
        if manifest.kind == CONNECTOR:
            yield from _connector(manifest, manifest.spec, (), all_)
        if manifest.kind == MODEL:
            yield from _model(manifest, all_)
            own = manifest.spec.get("connector")
            if isinstance(own, Mapping):
                yield from _connector(manifest, own, ("connector",), all_)
        yield from admission.judge(manifest, _connection(manifest, manifests))


def _references(manifest: Manifest, all_: Sequence[Manifest]) -> Iterator[Finding]:
    for field, kind in _REFERENCES.items():
        ref = manifest.spec.get(field)
        if isinstance(ref, Mapping) and _find(manifest, all_, str(ref.get("kind", kind)), ref) is None:
            words = (
                f"{ref.get('kind', kind)} {ref.get('name')} is not in these files: it must be there already"
            )
            yield _advice(manifest, (field, "name"), words)


def _connector(
    manifest: Manifest, spec: Mapping[str, Any], at: Place, all_: Sequence[Manifest]
) -> Iterator[Finding]:
    """Judge the fields of a connector, which stand `at` some place of the spec."""
    parameters = spec.get("parameters") or {}
    for name, value in parameters.items():
        if isinstance(value, str) and _SECRET_NAME.search(str(name)) and not _PLACEHOLDER.search(value):
            yield _advice(
                manifest, (*at, "parameters", name), "looks like a secret: parameters are shown to everybody"
            )
    known = {str(each.get("name")) for each in spec.get("credentials") or ()}
    used: set[str] = set()
    for index, action in enumerate(spec.get("actions") or ()):
        place: Place = (*at, "actions", index)
        used |= set(_CREDENTIAL.findall(str(action)))
        yield from _action(manifest, action, place, parameters)
    if "credentialsFrom" not in spec:
        for name in sorted(used - known):
            words = f"${{credential.{name}}} is used, but spec.credentials has no {name}"
            yield Finding.of(manifest, ("spec", *at, "actions"), words)
        for name in sorted(known - used):
            if spec.get("protocol", "http") != "aws_sigv4":
                yield _advice(manifest, (*at, "credentials"), f"no action uses ${{credential.{name}}}")
    yield from _secrets(manifest, spec, at, all_)


def _action(
    manifest: Manifest, action: Mapping[str, Any], place: Place, parameters: Mapping[str, Any]
) -> Iterator[Finding]:
    url = endpoint.fix_host(str(action.get("url")), parameters)
    if isinstance(url, Fact):
        yield Finding.of(manifest, ("spec", *place, "url"), url.message)
    elif isinstance(refused := endpoint.refuse_address(url, private_allowed=True), Fact):
        yield Finding.of(manifest, ("spec", *place, "url"), refused.message)
    elif isinstance(private := endpoint.refuse_address(url, private_allowed=False), Fact):
        yield _advice(manifest, (*place, "url"), private.message)
    for name, value in (action.get("headers") or {}).items():
        rest = _PLACEHOLDER.sub("", str(value))
        if _SECRET_NAME.search(name) and len(rest.strip()) > _MOST:
            words = "looks like a secret in the open: use ${credential.NAME}"
            yield _advice(manifest, (*place, "headers", name), words)


def _secrets(
    manifest: Manifest, spec: Mapping[str, Any], at: Place, all_: Sequence[Manifest]
) -> Iterator[Finding]:
    """Return the keys that a Secret of these files lacks."""
    for index, credential in enumerate(spec.get("credentials") or ()):
        ref = credential.get("secretKeyRef")
        secret = _find(manifest, all_, "Secret", ref) if isinstance(ref, Mapping) else None
        if secret is None:
            continue
        keys = {**(secret.body.get("data") or {}), **(secret.body.get("stringData") or {})}
        if ref["key"] not in keys:
            place: Place = ("spec", *at, "credentials", index, "secretKeyRef", "key")
            yield Finding.of(manifest, place, f"Secret {secret.name} has no key {ref['key']}")


def _model(manifest: Manifest, all_: Sequence[Manifest]) -> Iterator[Finding]:
    spec = manifest.spec
    connection = _key(manifest, all_)
    for field, kind in (("connectorRef", CONNECTOR), ("modelGroupRef", GROUP)):
        ref = spec.get(field)
        other = _find(manifest, all_, kind, ref) if isinstance(ref, Mapping) else None
        theirs = _key(other, all_) if other is not None else connection
        if other is not None and connection.name and theirs.name and theirs != connection:
            words = f"{kind} {other.name} is on {theirs}, the model on {connection}"
            yield Finding.of(manifest, ("spec", field), words)
    if "probe" not in spec:
        yield _advice(manifest, (), "without spec.probe nobody looks whether the model answers")


def _key(manifest: Manifest, all_: Sequence[Manifest]) -> ObjectKey:
    """Return the connection that an object names, if need be through its connector; else one without name."""
    own = connection_key(manifest.snapshot(""))
    ref = manifest.spec.get("connectorRef")
    if own.name or not isinstance(ref, Mapping):
        return own
    connector = _find(manifest, all_, CONNECTOR, ref)
    return _key(connector, all_) if connector is not None else own


def _connection(manifest: Manifest, all_: Sequence[Manifest]) -> Manifest | None:
    """Return the connection of an object, if it is in the files."""
    key = _key(manifest, all_)
    return _find(manifest, all_, key.kind, {"name": key.name}) if key.name else None


def _find(manifest: Manifest, all_: Sequence[Manifest], kind: str, ref: Mapping[str, Any]) -> Manifest | None:
    namespace = "" if kind == CLUSTER_CONNECTION else manifest.namespace
    wanted = (kind, namespace, str(ref.get("name")))
    return next((each for each in all_ if (each.kind, each.namespace, each.name) == wanted), None)


def _advice(manifest: Manifest, place: Place, words: str) -> Finding:
    return Finding.of(manifest, ("spec", *place), words, error=False)
