"""`report`: a bundle to send along with a question: objects, Events, the operator's logs, what `doctor` sees.

The Secrets that the objects name are read, as far as you may, for one purpose: to find and mask their values.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .. import __version__
from ..constants import GROUP
from ..errors import OperatorError
from ..kube.secrets import KubeSecretSource
from ..kube.targets import EVENTS, PODS, Target, ours
from ..logs import MASK, Redactor
from ..models.kinds import KINDS
from ..reconcilers.difference import SOUNDS_SECRET
from . import doctor
from . import options as shared
from .checks.kubernetes import DEPLOYMENTS, LABEL
from .cluster import Cluster, open_cluster
from .exits import CommandError, Exit
from .shell import Shell

_LEFT_OUT: Final = frozenset({"managedFields", "kubectl.kubernetes.io/last-applied-configuration"})
"""Noise, and a second copy of what is shown."""
_LOG: Final = {"tailLines": "5000", "limitBytes": str(5 * 2**20), "timestamps": "true"}
_README: Final = """\
Made by opensearch-ml {version} at {now}.

objects/    the resources of group {group}, with their status
events.json Events about them
operator/   the operator's Deployment and pods, and the ends of their logs
doctor.json what `opensearch-ml doctor` finds
missing.txt what could not be read

Values of Secrets are not in here: {secrets} Secrets were read, to mask theirs wherever they might turn up.
Names, addresses and descriptions are as they are. Look through it before you give it away.
"""


@dataclass(slots=True)
class Bundle:
    """Files to be, each of them masked when it is written."""

    files: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def document(self, name: str, value: Any) -> None:
        """Add a JSON document."""
        self.files[name] = json.dumps(redacted(value), indent=1, ensure_ascii=False)

    def lacks(self, error: Exception) -> None:
        """Take note of what could not be read."""
        self.missing.append(str(error))


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument(
        "--file",
        metavar="FILE",
        help="where to write it, - for stdout; default: opensearch-ml-report-TIME.tar.gz",
    )
    shared.cluster(parser)


async def run(options: argparse.Namespace, shell: Shell) -> Exit:
    """Write the bundle and say what is in it. What may not be read is left out, and told."""
    title = f"opensearch-ml-report-{shell.now():%Y%m%d-%H%M%S}"
    name = options.file or f"{title}.tar.gz"
    bundle, redactor = Bundle(), Redactor()
    async with open_cluster(options, shell) as cluster:
        bodies = await _objects(cluster, bundle, shell)
        secrets = await _learn(cluster, bodies, redactor, bundle, shell)
        await _events(cluster, bundle, shell)
        await _operator(cluster, bundle, shell)
    shell.progress("asking the doctor …")
    await _doctor(options, bundle, shell)
    words = _README.format(version=__version__, now=f"{shell.now():%FT%TZ}", group=GROUP, secrets=secrets)
    bundle.files |= {"missing.txt": "\n".join(bundle.missing), "README.txt": words}
    masked = {path: redactor.mask(text) for path, text in bundle.files.items()}
    _write(name, _archive(title, masked))
    shell.progress("")
    shell.tell(f"{name}: {len(bundle.files)} files, {len(bodies)} objects")
    for each in bundle.missing:
        shell.tell(f"not in it: {each}")
    shell.tell("Look through it before you give it away.")
    return Exit.OK


async def _objects(cluster: Cluster, bundle: Bundle, shell: Shell) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for info in KINDS:
        shell.progress(f"reading {info.plural} …")
        namespace = cluster.namespace if info.scope == "Namespaced" else ""
        try:
            bodies = await cluster.bodies(Target(ours(info.plural), namespace or None))
        except OperatorError as error:
            bundle.lacks(error)
            continue
        bundle.document(f"objects/{info.plural}.json", bodies)
        found += bodies
    return found


async def _learn(
    cluster: Cluster, bodies: list[Mapping[str, Any]], redactor: Redactor, bundle: Bundle, shell: Shell
) -> int:
    """Read the Secrets that are named, so that their values are known; return how many were read."""
    source, read = redactor.watch(KubeSecretSource(cluster.kube)), 0
    named = {key for body in bodies for key in _named(body["metadata"].get("namespace", ""), body["spec"])}
    for namespace, name in sorted(named):
        shell.progress(f"masking {namespace}/{name} …")
        try:
            read += await source.secret(namespace, name) is not None
        except OperatorError as error:
            bundle.lacks(error)
    return read


def _named(namespace: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield the Secrets that a spec refers to: namespace and name."""
    if isinstance(value, list):
        for each in value:
            yield from _named(namespace, each)
    if not isinstance(value, Mapping):
        return
    for key, each in value.items():
        if key in {"secretRef", "secretKeyRef"} and isinstance(each, Mapping):
            yield str(each.get("namespace") or namespace), str(each.get("name"))
        yield from _named(namespace, each)


async def _events(cluster: Cluster, bundle: Bundle, shell: Shell) -> None:
    shell.progress("reading Events …")
    try:
        found = await cluster.bodies(Target(EVENTS, cluster.namespace or None))
    except OperatorError as error:
        bundle.lacks(error)
        return
    about = (each for each in found if str(each["involvedObject"].get("apiVersion")).startswith(f"{GROUP}/"))
    bundle.document("events.json", list(about))


async def _operator(cluster: Cluster, bundle: Bundle, shell: Shell) -> None:
    shell.progress("reading the operator's logs …")
    try:
        bundle.document("operator/deployments.json", await cluster.bodies(Target(DEPLOYMENTS), LABEL))
        pods = await cluster.bodies(Target(PODS), LABEL)
    except OperatorError as error:
        bundle.lacks(error)
        return
    bundle.document("operator/pods.json", pods)
    for pod in pods:
        metadata = pod["metadata"]
        target = Target(PODS, metadata["namespace"], metadata["name"], "log")
        states = pod.get("status", {}).get("containerStatuses") or ()
        ends = {"": {}, "-previous": {"previous": "true"}}
        restarted = any(state.get("restartCount") for state in states)
        for end, query in ends.items() if restarted else list(ends.items())[:1]:
            try:
                text = await cluster.kube.read_text(target, query={**_LOG, **query})
            except OperatorError as error:
                bundle.lacks(error)
            else:
                bundle.files[f"operator/{metadata['name']}{end}.log"] = text


async def _doctor(options: argparse.Namespace, bundle: Bundle, shell: Shell) -> None:
    whole = argparse.Namespace(**vars(options), connections=[], endpoint=None, model_url=[])
    try:
        sections = [doctor.document(section) async for section in doctor.installed(whole, shell)]
    except (OperatorError, CommandError) as error:
        bundle.lacks(error)
    else:
        bundle.document("doctor.json", sections)


def redacted(value: Any, name: str = "") -> Any:
    """Return a document without what sounds like a secret; placeholders of OpenSearch are none."""
    if isinstance(value, Mapping):
        hidden = name == "credentials" or SOUNDS_SECRET.search(str(value.get("name", "")))
        return {
            key: MASK if key == "value" and hidden else redacted(each, key)
            for key, each in value.items()
            if key not in _LEFT_OUT
        }
    if isinstance(value, list | tuple):
        return [redacted(each, name) for each in value]
    secret = isinstance(value, str) and SOUNDS_SECRET.search(name) and "${" not in value
    return MASK if secret else value


def _archive(folder: str, files: Mapping[str, str]) -> bytes:
    """Return the files as one archive."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        for path, text in sorted(files.items()):
            data = text.encode()
            entry = tarfile.TarInfo(f"{folder}/{path}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return whole.getvalue()


def _write(name: str, data: bytes) -> None:
    """Write the archive where nobody else may read it, or to stdout."""
    if name == "-":
        sys.stdout.buffer.write(data)
        return
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
