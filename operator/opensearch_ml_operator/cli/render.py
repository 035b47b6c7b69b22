"""`render`: the requests that applying some manifests would make, without a server.

The operator's own client makes them, over a transport that writes down instead of sending.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..models.connector import ConnectorFields, MLConnectorSpec
from ..models.group import MLModelGroupSpec
from ..models.model import RemoteModelSpec
from ..models.settings import MLClusterSettingsSpec
from ..opensearch.imprint import Imprint
from ..opensearch.login import FixedLogin
from ..opensearch.mlcommons import MLCommonsClient
from ..opensearch.operations import Operation
from ..opensearch.paths import COLLECTIONS
from ..opensearch.pool import client_over
from ..opensearch.transport import Transport
from ..reconcilers.conditions import Fact
from ..reconcilers.connector import bodies as connector_bodies
from ..reconcilers.creation.protocol import Role, marker
from ..reconcilers.group import bodies as group_bodies
from ..reconcilers.model import bodies as model_bodies
from ..reconcilers.model.internal_connector import FIELD
from ..reconcilers.ports import ConnectionSettings
from ..reconcilers.records import parse_spec
from ..reconcilers.references import CONNECTOR, GROUP, MODEL, SETTINGS
from ..reconcilers.settings.claims import TRUSTED, wish
from . import options as shared
from .exits import Exit, usage
from .manifests import Manifest, load
from .shell import Shell

MASK: Final = "***"
_ORDER: Final = (SETTINGS, GROUP, CONNECTOR, MODEL)
_COLLECTION: Final = {GROUP: "group", CONNECTOR: "connector", MODEL: "model"}
_ID: Final = {
    Operation.CREATE_CONNECTOR: "connector_id",
    Operation.CREATE_GROUP: "model_group_id",
    Operation.REGISTER_MODEL: "model_id",
}


@dataclass(frozen=True, slots=True)
class Request:
    """One request that would be sent."""

    about: str
    method: str
    path: str
    body: Mapping[str, Any] | None


class Recorder(Transport):
    """Writes down what it is given, and answers with an id that says whose it is."""

    def __init__(self) -> None:
        offline = ConnectionSettings(endpoints=("http://offline",))
        super().__init__(
            offline,
            login=FixedLogin(),
            observer=lambda *_: None,
            on_unusable=lambda: None,
            clock=lambda: 0.0,
        )
        self.about = ""
        self.object_id = ""
        self.requests: list[Request] = []

    async def call(
        self, operation: Operation, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Any:
        """Write a request down."""
        self.requests.append(Request(self.about, method, path, body))
        return {_ID.get(operation, "id"): self.object_id, "task_id": "TASK"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument(
        "-f", "--filename", action="append", required=True, metavar="FILE", help="file, folder or - for stdin"
    )
    shared.output(parser)


async def run(options: argparse.Namespace, shell: Shell) -> Exit:
    """Print the requests in the order in which the operator makes them."""
    manifests = [each for each in load(options.filename, sys.stdin) if each.ours and each.kind in _ORDER]
    if not manifests:
        raise usage("no group, connector, model or settings of ours in these files")
    requests = [each async for each in render(manifests)]
    if options.output == "json":
        shell.document([{"method": each.method, "path": each.path, "body": each.body} for each in requests])
        return Exit.OK
    for request in requests:
        shell.say(f"# {request.about}")
        shell.say(f"{request.method} {request.path}")
        if request.body is not None:
            shell.document(request.body)
        shell.say()
    return Exit.OK


async def render(manifests: list[Manifest]) -> AsyncIterator[Request]:
    """Yield the requests. Raises CommandError for a spec that the operator would refuse."""
    recorder = Recorder()
    client = client_over(recorder, clock=lambda: 0.0, imprint=Imprint(""))
    try:
        for manifest in sorted(manifests, key=lambda each: _ORDER.index(each.kind)):
            recorder.about = f"{manifest.kind} {manifest.name}"
            await _apply(manifest, client, recorder)
        for request in recorder.requests:
            yield request
    finally:
        await recorder.retire()


async def _apply(manifest: Manifest, client: MLCommonsClient, recorder: Recorder) -> None:
    snapshot = manifest.snapshot("default")
    if isinstance(adopt := manifest.spec.get("adopt"), Mapping):
        recorder.requests.append(_lookup(manifest, adopt))
        return
    recorder.object_id = placeholder(manifest.kind, manifest.name)
    match manifest.kind:
        case "MLClusterSettings":
            wanted = _good(wish(_good(parse_spec(MLClusterSettingsSpec, manifest.spec), manifest)), manifest)
            added = {TRUSTED: ["<what stands there>", *wanted.endpoints]} if wanted.endpoints else {}
            await client.update_settings({**wanted.settings, **added})
        case "MLModelGroup":
            spec = _good(parse_spec(MLModelGroupSpec, manifest.spec), manifest)
            await client.create_group(group_bodies.desired(snapshot, spec))
        case "MLConnector":
            connector = _good(parse_spec(MLConnectorSpec, manifest.spec), manifest)
            content = _good(connector_bodies.content(snapshot, connector, private_allowed=True), manifest)
            mark = marker(snapshot.uid, Role.CONNECTOR, 1)  # and a word that changes with the credentials
            body = connector_bodies.create_body(content, mark, credential=dict(_credential(connector)))
            await client.create_connector(body)
        case _:
            await _model(manifest, client, recorder)


async def _model(manifest: Manifest, client: MLCommonsClient, recorder: Recorder) -> None:
    spec, snapshot = _good(parse_spec(RemoteModelSpec, manifest.spec), manifest), manifest.snapshot("default")
    model_id, connector_id, own = recorder.object_id, spec.connector_id, {}
    if spec.connector_ref is not None:
        connector_id = placeholder(CONNECTOR, spec.connector_ref.name)
    if spec.connector is not None:
        content = _good(connector_bodies.content(snapshot, spec.connector, private_allowed=True), manifest)
        own = {FIELD: connector_bodies.with_credential(content, dict(_credential(spec.connector)))}
    if spec.model_group_ref is not None:
        group_id = placeholder(GROUP, spec.model_group_ref.name)
    elif spec.model_group_id is not None:
        group_id = spec.model_group_id
    else:
        recorder.object_id = placeholder(GROUP, f"{manifest.name}-of-its-own")
        group_id = await client.create_group(model_bodies.group_body(snapshot, spec))
        recorder.object_id = model_id
    body = model_bodies.desired(snapshot, spec, connector_id=connector_id, group_id=group_id)
    await client.register_model({**model_bodies.register_body(body), **own})
    if spec.deploy:
        await client.deploy_model(model_id)


def _lookup(manifest: Manifest, adopt: Mapping[str, Any]) -> Request:
    """Return the request that finds what is adopted: how much of it is changed depends on what is there."""
    collection = COLLECTIONS[_COLLECTION[manifest.kind]]
    about = f"{manifest.kind} {manifest.name} adopts what is there, and changes what differs"
    if adopt.get("id"):
        return Request(about, "GET", collection.item(str(adopt["id"])), None)
    body = {"query": {"term": {"name.keyword": adopt.get("name")}}}
    return Request(about, "POST", f"{collection.path}/_search", body)


def placeholder(kind: str, name: str) -> str:
    """Return what stands for an id that only the server can give."""
    return f"ID-OF-{kind}-{name.replace('.', '-')}"


def _credential(spec: ConnectorFields) -> Iterator[tuple[str, str]]:
    for each in spec.credentials:
        yield each.name, each.value or MASK
    if spec.credentials_from is not None:
        yield f"<each key of Secret {spec.credentials_from.secret_ref.name}>", MASK


def _good(read: Any, manifest: Manifest) -> Any:
    if isinstance(read, Fact):
        raise usage(f"{manifest.file}:{manifest.line()}: {manifest.kind} {manifest.name}: {read.message}")
    return read
