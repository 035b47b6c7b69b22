"""`import`: an MLConnector, with a Secret to fill in, from a connector blueprint or any create request.

Credentials that stand in the request are not taken over: a Secret is where they belong.
"""

from __future__ import annotations

import argparse
import io
import json

from ..reconcilers.references import CLUSTER_CONNECTION, CONNECTOR
from . import documents, specs
from . import options as shared
from .documents import Document
from .exits import Exit, usage
from .lint import findings
from .manifests import load, read_request
from .shell import Shell


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("file", metavar="FILE", help="JSON of POST /_plugins/_ml/connectors/_create, or -")
    parser.add_argument(
        "--connection",
        required=True,
        metavar="NAME",
        help="its connection: NAME or cosconn/NAME",
    )
    parser.add_argument("--name", metavar="NAME", help="name of the MLConnector; default: made of its own")
    parser.add_argument("-n", "--namespace", metavar="NAME", help="namespace to write into the manifests")
    shared.output(parser)


async def run(options: argparse.Namespace, shell: Shell) -> Exit:
    """Print the manifests; what is still to be done about them is said on stderr."""
    body = read_request(options.file)
    name = options.name or documents.object_name(str(body.get("name", "")), set())
    secret = f"{name}-credentials"
    spec = {"connectionRef": connection_ref(options.connection), **specs.connector(body, secret=secret)}
    if not spec.get("actions"):
        raise usage(f"{options.file}: this is no request for a connector: it has no actions")
    made = [Document(documents.ours(CONNECTOR, name, options.namespace, spec))]
    if keys := specs.secret_keys(spec):
        notes = ["Write the values: until then the connector waits, with the reason SecretKeyMissing."]
        made.insert(0, Document(documents.secret(secret, options.namespace, keys), notes))
    documents.show(shell, made, as_json=options.output == "json")
    text = json.dumps({"items": [each.body for each in made]})
    for finding in findings(load(["-"], io.StringIO(text))):
        if finding.field != "spec.connectionRef.name":
            shell.tell(f"{'error' if finding.error else 'advice'}: {finding.field}: {finding.message}")
    return Exit.OK


def connection_ref(word: str) -> dict[str, str]:
    """Read the connection of an option: `NAME`, or `cosconn/NAME`."""
    kind, slash, name = word.rpartition("/")
    if not slash or kind == "osconn":
        return {"name": name}
    if kind != "cosconn":
        raise usage(f"{word!r} is neither NAME nor cosconn/NAME")
    return {"kind": CLUSTER_CONNECTION, "name": name}
