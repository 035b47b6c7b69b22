"""The manifests of examples/quickstart with the addresses and credentials of this run put in."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from stack.modelserver.client import ModelServer
from stack.opensearch_node import OpenSearch

EXAMPLES = Path(__file__).parents[1] / "examples" / "quickstart"
NAMESPACE: Final = "quickstart"
CONNECTION: Final = "opensearchconnection/opensearch"
CONNECTOR: Final = "mlconnector/embeddings"
GROUP: Final = "mlmodelgroup/search-models"
MODEL: Final = "remotemodel/sentences"
KEY_SECRET: Final = "secret/embedding-key"  # noqa: S105 - a name

# Without the Security plugin there is nobody to log in as, and OpenSearch refuses to hear of access.
ONLY_WITH_SECURITY: Final = {"opensearch-login", "opensearch-ca"}

Manifest = dict[str, Any]


def new_key() -> str:
    """Return an API key that nobody has used before."""
    return f"key-{secrets.token_urlsafe(18)}"


@dataclass(frozen=True, slots=True)
class Quickstart:
    """What the manifests must know of this run. `username` is the operator's user, None without Security."""

    folder: Path
    node: OpenSearch
    model_server: ModelServer
    username: str | None
    password: str = field(default_factory=lambda: secrets.token_urlsafe(18), repr=False)
    key: str = field(default_factory=new_key, repr=False)

    def write(self) -> list[Path]:
        """Write the manifests into the folder, a file for each of the examples; return the files."""
        files = []
        for example in sorted(EXAMPLES.glob("*.yaml")):
            documents = [
                self._filled(each) for each in yaml.safe_load_all(example.read_text()) if self._has(each)
            ]
            files.append(self.folder / example.name)
            files[-1].write_text(yaml.safe_dump_all(documents, sort_keys=False))
        return files

    def _has(self, manifest: Manifest) -> bool:
        return self.username is not None or manifest["metadata"]["name"] not in ONLY_WITH_SECURITY

    def _filled(self, manifest: Manifest) -> Manifest:
        match manifest["kind"], manifest["metadata"]["name"]:
            case "Secret", "opensearch-login":
                manifest["stringData"] = {"username": self.username, "password": self.password}
            case "Secret", "embedding-key":
                manifest["stringData"] = {"key": self.key}
            case "ConfigMap", _ if self.node.ca_file is not None:
                manifest["data"] = {"ca.crt": self.node.ca_file.read_text()}
            case "OpenSearchConnection", _:
                # Its certificate is for localhost, and names are what certificates are for.
                manifest["spec"]["endpoints"] = [self.node.url.replace("127.0.0.1", "localhost")]
                if self.username is None:
                    del manifest["spec"]["auth"], manifest["spec"]["tls"]
            case "MLConnector", _:
                manifest["spec"]["actions"][0]["url"] = f"{self.model_server.url}/v1/embeddings"
                manifest["spec"]["parameters"]["model"] = "wordllama"
            case "MLModelGroup", _ if self.username is None:
                del manifest["spec"]["access"]
        return manifest
