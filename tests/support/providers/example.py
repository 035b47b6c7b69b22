"""The manifests of examples/providers, and what their comments promise."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[3] / "examples" / "providers"
ORIGIN = re.compile(r"^https?://[^/]+")
OURS = ("MLConnector", "RemoteModel")

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Example:
    """One file. `trusted` is the pattern that OpenSearch must have, `trusted_note` which release has it."""

    name: str
    documents: tuple[Document, ...]
    provider: str
    trusted: str
    trusted_note: str
    predict_path: str
    predict_body: dict[str, Any]

    @property
    def connector(self) -> Document:
        """The connector's spec."""
        return self.spec("MLConnector")

    @property
    def credentials(self) -> dict[str, str]:
        """The placeholders in its Secret; empty without one."""
        secrets = [each["stringData"] for each in self.documents if each["kind"] == "Secret"]
        return dict(secrets[0]) if secrets else {}

    @property
    def real_url(self) -> str:
        """The address that it calls, with the connector's parameters filled in."""
        url: str = self.connector["actions"][0]["url"]
        parameters = self.connector["parameters"]
        return re.sub(r"\$\{parameters\.(\w+)\}", lambda match: str(parameters[match[1]]), url)

    def spec(self, kind: str) -> Document:
        """Return the spec of its object of a kind."""
        (spec,) = [each["spec"] for each in self.documents if each["kind"] == kind]
        return dict(spec)

    def named(self, namespace: str) -> list[Document]:
        """Return the documents for a namespace, whose name begins their names in OpenSearch."""
        documents = copy.deepcopy(list(self.documents))
        for each in documents:
            each["metadata"]["namespace"] = namespace
            if each["kind"] in OURS:
                each["spec"]["name"] = f"{namespace} {self.name}"
        return documents

    def pointed_at(self, origin: str, namespace: str, credentials: Mapping[str, str]) -> list[Document]:
        """Return the documents with the provider's scheme and host replaced, and other credentials.

        The path stays, and so do region and service, which a signature is made of.
        """
        documents = self.named(namespace)
        for each in documents:
            if each["kind"] == "Secret":
                each["stringData"] = dict(credentials)
            if each["kind"] == "MLConnector":
                for action in each["spec"]["actions"]:
                    action["url"] = ORIGIN.sub(origin, action["url"])
        return documents


def read_example(path: Path) -> Example:
    """Read one file. AssertionError when its comments lack something."""
    text = path.read_text()
    comments = [line[2:].rstrip() for line in text.splitlines() if line.startswith("# ")]
    provider = _only(r"Provider: +(https://\S+)", comments)
    trusted = _only(r"Trusted: +(\^\S+\$) \((.+)\)", comments)
    start = next(number for number, line in enumerate(comments) if line.startswith("Predict:"))
    predict = _only(r"Predict: +POST (\S+)", comments)
    body: dict[str, Any] = json.loads("".join(comments[start + 1 :]))
    documents = tuple(yaml.safe_load_all(text))
    return Example(path.stem, documents, provider[1], trusted[1], trusted[2], predict[1], body)


def read_examples() -> tuple[Example, ...]:
    """Read all of them, in the order of their names."""
    return tuple(read_example(path) for path in sorted(FOLDER.glob("*.yaml")))


def _only(pattern: str, lines: list[str]) -> re.Match[str]:
    (found,) = [match for line in lines if (match := re.fullmatch(pattern, line))]
    return found
