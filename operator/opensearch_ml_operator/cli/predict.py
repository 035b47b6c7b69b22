"""`predict`: call a model once through OpenSearch, with the identity of its connection.

The prediction may cost money. Whoever may not read the connection's Secret is told what to call instead.
"""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Mapping
from typing import Any

from ..errors import KubernetesForbiddenError, MLCode, MLError
from ..models.snapshot import ObjectKey, Snapshot
from ..opensearch import paths
from ..reconcilers.conditions import Fact
from ..reconcilers.ports import ConnectionSettings
from ..reconcilers.references import CONNECTOR, MODEL
from . import options as shared
from .cluster import Cluster, connection_used, open_cluster
from .exits import CommandError, Exit, usage
from .manifests import read_request
from .remote import dial, forwarded, settings_of
from .shell import Shell

SHOWN_NUMBERS = 3


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("model", metavar="MODEL", help="name of the RemoteModel")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--text", action="append", metavar="TEXT", help="text to embed, may be repeated")
    what.add_argument(
        "-p", "--parameter", action="append", metavar="NAME=VALUE", help="value of ${parameters.NAME}"
    )
    what.add_argument("-f", "--filename", metavar="FILE", help="JSON file with the request, - for stdin")
    parser.add_argument("--print", action="store_true", help="print what to call, and call nothing")
    parser.add_argument(
        "--endpoint", metavar="URL", help="reach OpenSearch here, such as at a forwarded port"
    )
    shared.cluster(parser, everywhere=False)
    shared.output(parser)


async def run(options: argparse.Namespace, shell: Shell) -> Exit:
    """Predict and print the answer; without anything to send, what the model's probe sends."""
    async with open_cluster(options, shell) as cluster:
        model = await cluster.get(ObjectKey(MODEL, cluster.namespace, options.model))
        model_id = model.status.get("id")
        if not isinstance(model_id, str):
            raise CommandError(f"{model.key} is not registered in OpenSearch yet", Exit.PROBLEMS)
        request = _request(options, model)
        connection = await _connection(cluster, model)
        try:
            settings = await settings_of(cluster, forwarded(connection, options.endpoint))
        except KubernetesForbiddenError as error:
            shell.tell(f"{error}. Call it with an identity of your own:")
            shell.say(_curl(connection, model_id, request))
            return Exit.FORBIDDEN
    if isinstance(settings, Fact):
        raise CommandError(settings.message, Exit.PROBLEMS)
    if options.print:
        shell.say(_curl(connection, model_id, request))
        return Exit.OK
    try:
        return await _predict(settings, model_id, request, options, shell)
    except MLError as error:
        if error.code is not MLCode.FORBIDDEN:
            raise
        shell.progress("")
        shell.tell(f"{error}. Call it with an identity of your own:")
        shell.say(_curl(connection, model_id, request))
        return Exit.FORBIDDEN


async def _predict(
    settings: ConnectionSettings,
    model_id: str,
    request: Mapping[str, Any],
    options: argparse.Namespace,
    shell: Shell,
) -> Exit:
    async with dial(settings) as remote:
        began = shell.clock()
        shell.progress(f"calling {model_id} …")
        answer = await remote.client.predict(model_id, request)
        milliseconds = round((shell.clock() - began) * 1000)
    shell.progress("")
    if options.output == "json":
        shell.document({"latencyMs": milliseconds, "answer": answer})
    else:
        shell.document(_short(answer))
        shell.tell(f"answered in {milliseconds} ms")
    return Exit.OK


def _request(options: argparse.Namespace, model: Snapshot) -> Mapping[str, Any]:
    if options.text:
        return {"text_docs": options.text, "return_number": True, "target_response": ["sentence_embedding"]}
    if options.parameter:
        pairs = [each.partition("=") for each in options.parameter]
        if bad := next((name for name, equals, _ in pairs if not equals), None):
            raise usage(f"{bad!r} is not NAME=VALUE")
        return {"parameters": {name: value for name, _, value in pairs}}
    if options.filename:
        return read_request(options.filename)
    probe = model.spec.get("probe")
    if isinstance(probe, Mapping):
        if isinstance(probe.get("parameters"), Mapping):
            return {"parameters": probe["parameters"]}
        if isinstance(probe.get("body"), Mapping):
            return dict(probe["body"])
    raise usage("say what to send: --text, -p or -f; the model has no probe whose request could be used")


async def _connection(cluster: Cluster, model: Snapshot) -> Snapshot:
    """Find the connection: that which it was registered through, its own, or its connector's."""
    key = connection_used(model)
    ref = model.spec.get("connectorRef")
    if not key.name and isinstance(ref, Mapping):
        connector = ObjectKey(CONNECTOR, model.key.namespace, str(ref.get("name")))
        key = connection_used(await cluster.get(connector))
    return await cluster.get(key)


def _curl(connection: Snapshot, model_id: str, request: Mapping[str, Any]) -> str:
    endpoint = str((connection.spec.get("endpoints") or ["https://opensearch.example:9200"])[0]).rstrip("/")
    secure = "--cacert ca.crt " if endpoint.startswith("https:") else ""
    user = "-u USER " if connection.spec.get("auth") else ""
    url = shlex.quote(endpoint + paths.predict(model_id, request))
    body = shlex.quote(json.dumps(request, ensure_ascii=False))
    return f"curl {secure}{user}-X POST -H 'Content-Type: application/json' {url} -d {body}"


def _short(value: Any) -> Any:
    """Leave out most of a long vector."""
    if isinstance(value, Mapping):
        return {key: _short(each) for key, each in value.items()}
    if isinstance(value, list):
        if len(value) > 2 * SHOWN_NUMBERS and all(isinstance(each, int | float) for each in value):
            return [*value[:SHOWN_NUMBERS], f"… {len(value) - SHOWN_NUMBERS} more numbers"]
        return [_short(each) for each in value]
    return value
