"""`doctor`: what is wrong on the way to a served model, in the order of causes, and how to mend it.

Before anything is installed it looks at an OpenSearch alone (`--url`); afterwards at Kubernetes, and at each
connection with its own identity. It changes nothing.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import KubernetesForbiddenError, KubernetesUnavailableError, OperatorError
from ..models.snapshot import Snapshot
from ..opensearch import rights
from ..opensearch.rights import Question
from ..reconcilers.conditions import Fact
from ..reconcilers.ports import ConnectionSettings
from ..reconcilers.references import CLUSTER_CONNECTION, CONNECTION, SETTINGS
from . import options as shared
from .checks import kubernetes, network, opensearch
from .checks.check import Administrator, Check, Verdict, failed, ok, skipped, warning
from .checks.settings import Needs, judge
from .cluster import Cluster, connection_used, open_cluster, verdict
from .exits import Exit, usage
from .remote import dial, forwarded, settings_of
from .shell import Shell
from .words import wrapped

MARKS = {Verdict.OK: "✓", Verdict.WARNING: "!", Verdict.FAILED: "✗", Verdict.SKIPPED: "-"}


@dataclass(frozen=True, slots=True)
class Section:
    """What was found about one thing."""

    title: str
    checks: tuple[Check, ...]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument(
        "connections",
        nargs="*",
        metavar="CONNECTION",
        help="NAME or KIND/NAME; default: all that are used here",
    )
    parser.add_argument(
        "--endpoint", metavar="URL", help="reach the connection here instead, such as at a forwarded port"
    )
    parser.add_argument(
        "--model-url",
        metavar="URL",
        action="append",
        default=[],
        help="address that a connector will call: is it trusted? may be repeated",
    )
    before = parser.add_argument_group(
        "before the installation: look at an OpenSearch, and not at Kubernetes"
    )
    before.add_argument("--url", metavar="URL", help="address of the OpenSearch")
    before.add_argument("--user", metavar="NAME", help="user of the operator there")
    before.add_argument("--password-env", metavar="VARIABLE", help="environment variable with the password")
    before.add_argument("--ca-file", metavar="FILE", type=Path, help="PEM file of the certificate authority")
    shared.cluster(parser)
    shared.output(parser)


async def run(options: argparse.Namespace, shell: Shell) -> Exit:
    """Look at everything; PROBLEMS when something has failed, UNREACHABLE when a server does not answer."""
    looks = _before(options, shell) if options.url else installed(options, shell)
    sections = []
    async for section in looks:
        shell.progress("")
        sections.append(section)
        if options.output != "json":
            _show(shell, section)
    checks = [check for section in sections for check in section.checks]
    count = {verdict: sum(check.verdict is verdict for check in checks) for verdict in Verdict}
    if options.output == "json":
        shell.document({"sections": [document(section) for section in sections]})
    else:
        shell.say(
            f"problems: {count[Verdict.FAILED]}, warnings: {count[Verdict.WARNING]}, "
            f"not checked: {count[Verdict.SKIPPED]}, good: {count[Verdict.OK]}"
        )
    if any(
        check.verdict is Verdict.FAILED and check.name in {"DNS", "TCP", "API server"} for check in checks
    ):
        return Exit.UNREACHABLE
    return Exit.PROBLEMS if count[Verdict.FAILED] else Exit.OK


async def _before(options: argparse.Namespace, shell: Shell) -> AsyncIterator[Section]:
    if bool(options.user) != bool(options.password_env):
        raise usage("--user and --password-env belong together")
    password = shell.environ.get(options.password_env) if options.password_env else None
    if options.user and not password:
        raise usage(f"the environment has no {options.password_env}")
    settings = ConnectionSettings(
        endpoints=(options.url,),
        username=options.user,
        password=password,
        ca=options.ca_file.read_bytes() if options.ca_file else None,
    )
    needs = Needs.of((), options.model_url)
    yield Section(f"OpenSearch {options.url}", await _cluster(settings, needs, (), shell))


async def installed(options: argparse.Namespace, shell: Shell) -> AsyncIterator[Section]:
    """Look at Kubernetes, and at each connection."""
    async with open_cluster(options, shell) as cluster:
        shell.progress("asking the API server …")
        try:
            there = (await kubernetes.crds(cluster.kube), await kubernetes.operator(cluster.kube))
        except KubernetesUnavailableError as error:
            yield Section("Kubernetes", (failed("API server", str(error)),))
            return
        except KubernetesForbiddenError as error:
            yield Section("Kubernetes", (failed("your identity", str(error)),))
            return
        yield Section("Kubernetes", there)
        try:
            found = await cluster.list_allowed(shell)
        except KubernetesUnavailableError:
            return  # no kinds, no objects: the CRDs were told of
        known = (*found.get(CONNECTION, ()), *found.get(CLUSTER_CONNECTION, ()))
        chosen = await _chosen(cluster, known, options.connections)
        if not chosen:
            where = f"namespace {cluster.namespace}" if cluster.namespace else "any namespace"
            yield Section("Connections", (skipped("connections", f"none in {where}; -A looks into all"),))
        everything = [each for objects in found.values() for each in objects]
        for connection in chosen:
            users = [each for each in everything if connection_used(each) == connection.key]
            yield Section(str(connection.key), await _connection(cluster, connection, users, options, shell))


async def _chosen(cluster: Cluster, known: Sequence[Snapshot], words: Sequence[str]) -> Sequence[Snapshot]:
    """Return the connections that are asked for: all that are known here, or those that are named."""
    chosen = []
    for word in words:
        if "/" in word:
            key = cluster.key(word)
            if key.kind not in {CONNECTION, CLUSTER_CONNECTION}:
                raise usage(f"{key} is no connection")
            chosen.append(await cluster.get(key))
        elif named := [each for each in known if each.key.name == word]:
            chosen += named
        else:
            raise usage(f"there is no connection {word} here; one of the whole cluster: cosconn/{word}")
    return chosen if words else known


async def _connection(
    cluster: Cluster,
    connection: Snapshot,
    users: Sequence[Snapshot],
    options: argparse.Namespace,
    shell: Shell,
) -> tuple[Check, ...]:
    first = [_operators_view(connection)]
    if connection.key.kind == CLUSTER_CONNECTION:
        first.append(await kubernetes.namespaces(cluster.kube, connection, users))
    try:
        settings = await settings_of(cluster, forwarded(connection, options.endpoint))
    except KubernetesForbiddenError as error:
        words = (
            f"{error}. Without its identity OpenSearch cannot be asked; "
            "what the operator has seen stands above"
        )
        return *first, skipped("Secret", words)
    except OperatorError as error:
        return *first, failed("Secret", str(error))
    if isinstance(settings, Fact):
        return *first, failed("Secret", settings.message)
    needs = Needs.of(users, options.model_url)
    return *first, *await _cluster(settings, needs, _optional(users), shell)


async def _cluster(
    settings: ConnectionSettings, needs: Needs, optional: Sequence[Question], shell: Shell
) -> tuple[Check, ...]:
    """Look at one OpenSearch: the way to each endpoint, then what answers."""
    shell.progress(f"looking for {', '.join(settings.endpoints)} …")
    ways = await asyncio.gather(*(network.reach(each) for each in settings.endpoints))
    way = tuple(check for each in ways for check in each)
    if all(any(check.verdict is Verdict.FAILED for check in each) for each in ways):
        return way
    administrator = Administrator(settings.endpoints[0], secured=_logs_in(settings))
    shell.progress(f"asking OpenSearch for the rights of {settings.username or 'everybody'} …")
    async with dial(settings) as remote:
        checks, standing = await opensearch.look(
            remote.transport, remote.client, settings, administrator, optional=optional
        )
    if standing is not None:
        checks += judge(standing, needs, administrator)
    return *way, *checks


def _logs_in(settings: ConnectionSettings) -> bool:
    return any(each is not None for each in (settings.username, settings.bearer, settings.certificate))


def _operators_view(connection: Snapshot) -> Check:
    well, reason, message = verdict(connection)
    name = "the operator"
    orphans = connection.status.get("orphanCount")
    if well and orphans:
        return warning(name, f"finds it Ready, and {orphans} objects without a resource: see status.orphans")
    if well:
        return ok(name, f"finds it Ready: {message}" if message else "finds it Ready")
    words = f"{reason}: {message}"
    return failed(name, words) if well is False else warning(name, words)


def _optional(users: Sequence[Snapshot]) -> tuple[Question, ...]:
    """Return the permissions that only some objects need."""
    probed = any(isinstance(each.spec.get("probe"), dict) for each in users)
    sets = any(each.key.kind == SETTINGS for each in users)
    return (*((rights.PREDICT,) if probed else ()), *((rights.SETTINGS,) if sets else ()))


def _show(shell: Shell, section: Section) -> None:
    shell.say(section.title)
    width = max(len(check.name) for check in section.checks)
    for check in section.checks:
        first, *more = wrapped(check.message) or [""]
        shell.say(f"  {MARKS[check.verdict]} {check.name.ljust(width)}  {first}")
        for line in more:
            shell.say(f"    {' ' * width}  {line}")
        for fix in check.fixes:
            shell.say(f"      $ {fix.command}")
    shell.say()


def document(section: Section) -> dict[str, object]:
    """Return a section as JSON."""
    return {"title": section.title, "checks": [check.document() for check in section.checks]}
