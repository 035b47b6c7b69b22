"""The cluster settings that stand in the way of remote models, each with the request that mends it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from ...models.snapshot import Snapshot
from ...reconcilers.conditions import Fact
from ...reconcilers.connector import endpoint
from ...reconcilers.ports import ClusterSettings
from ...reconcilers.settings import endpoint_pattern
from ...reconcilers.settings.claims import PREFIX, TRUSTED
from .check import Administrator, Check, Fix, failed, ok, warning

PRIVATE: Final = f"{PREFIX}connector.private_ip_enabled"
_NAME: Final = "settings"
_TASKS: Final = ("max_register_model_tasks_per_node", "max_deploy_model_tasks_per_node")
_ACCESS: Final = {
    "MLConnector": f"{PREFIX}connector_access_control_enabled",
    "MLModelGroup": f"{PREFIX}model_access_control_enabled",
}


@dataclass(frozen=True, slots=True)
class Needs:
    """What the objects of a connection ask of its cluster."""

    urls: tuple[str, ...] = ()
    """Addresses that connectors call, hosts filled in."""
    access: frozenset[str] = frozenset()
    """Kinds with `spec.access`."""

    @classmethod
    def of(cls, snapshots: Sequence[Snapshot], urls: Sequence[str] = ()) -> Needs:
        """Read the specs of a connection's objects; `urls` are asked for besides."""
        found = [url for each in snapshots for url in _urls(each.spec)]
        access = frozenset(each.key.kind for each in snapshots if "access" in each.spec)
        return cls(tuple(dict.fromkeys((*urls, *found))), access)


def judge(standing: ClusterSettings, needs: Needs, administrator: Administrator) -> list[Check]:
    """Return what is wrong; one line of praise when nothing is."""
    checks = [
        *_switches(standing, administrator),
        *_trusted(standing, needs.urls, administrator),
        *_private(standing, needs.urls, administrator),
        *_access(standing, needs.access, administrator),
    ]
    about = f", {len(needs.urls)} connector addresses are trusted" if needs.urls else ""
    return checks or [ok(_NAME, f"nothing stands in the way of remote models{about}")]


def value(standing: ClusterSettings, name: str) -> Any:
    """Return the value in force."""
    for layer in (standing.transient, standing.persistent, standing.defaults):
        if name in layer:
            return layer[name]
    return None


def _switches(standing: ClusterSettings, administrator: Administrator) -> Iterator[Check]:
    remote, auto = f"{PREFIX}remote_inference.enabled", f"{PREFIX}model_auto_deploy.enable"
    if _is(standing, remote, "false"):
        fix = _set(standing, administrator, remote, "true")
        yield failed(_NAME, f"{remote} is false: no connector can be created", fix)
    if _is(standing, f"{PREFIX}multi_tenancy_enabled", "true"):
        words = "is true, which only opensearch.yml can change: every request needs a tenant id"
        yield failed(_NAME, f"{PREFIX}multi_tenancy_enabled {words}, and the operator sends none")
    for name in (PREFIX + task for task in _TASKS):
        if _is(standing, name, "0"):
            yield failed(
                _NAME, f"{name} is 0: every such task is refused", _set(standing, administrator, name, 10)
            )
    roles = f"{PREFIX}task_dispatcher.eligible_node_role.remote_model"
    allowed = value(standing, roles)
    if isinstance(allowed, list) and not {"data", "ml"} & set(allowed):
        words = f"{roles} is {allowed}: a model is deployed only on nodes with one of these roles"
        yield warning(_NAME, words, _set(standing, administrator, roles, ["data", "ml"]))
    if _is(standing, auto, "false"):
        words = f"{auto} is false: deploySetting.autoDeployEnabled has no effect"
        yield warning(_NAME, words, _set(standing, administrator, auto, "true"))
    if _is(standing, f"{PREFIX}sync_up_job_interval_in_seconds", "0"):
        name = f"{PREFIX}sync_up_job_interval_in_seconds"
        words = f"{name} is 0: the states of models are not kept up to date"
        yield warning(_NAME, words, _set(standing, administrator, name, 10))


def _trusted(standing: ClusterSettings, urls: Sequence[str], administrator: Administrator) -> Iterator[Check]:
    patterns = value(standing, TRUSTED)
    known = [str(each) for each in patterns] if isinstance(patterns, list) else [str(patterns or "")]
    broken = [each for each in known if endpoint_pattern.readable(each) and not _compiles(each)]
    foreign = [each for each in known if not endpoint_pattern.readable(each) and not _compiles(each)]
    if foreign:
        words = f"{TRUSTED} holds {foreign[0]!r}: if Java cannot read it either, every connector is refused"
        yield warning(_NAME, words)
    if broken:
        words = f"{TRUSTED} holds {broken[0]!r}, which is broken: every connector is refused until it is gone"
        rest = [each for each in known if each not in broken]
        yield failed(_NAME, words, _set(standing, administrator, TRUSTED, rest))
    known = [each for each in known if _compiles(each)]
    strange = [url for url in urls if not any(re.fullmatch(each, _plain(url)) for each in known)]
    if strange:
        wanted = list(dict.fromkeys(_pattern(url) for url in strange))
        words = f"{', '.join(strange[:5])}: matched by no pattern of {TRUSTED}, so refused at creation"
        yield failed(_NAME, words, _set(standing, administrator, TRUSTED, [*known, *wanted]))


def _private(standing: ClusterSettings, urls: Sequence[str], administrator: Administrator) -> Iterator[Check]:
    if _is(standing, PRIVATE, "true"):
        return
    sure = [url for url in urls if isinstance(endpoint.refuse_address(url, private_allowed=False), Fact)]
    if sure:
        words = f"{', '.join(sure[:5])}: a private address, refused at every prediction as {PRIVATE} is false"
        yield failed(_NAME, words, _set(standing, administrator, PRIVATE, "true"))
    inside = [url for url in urls if (urlsplit(_plain(url)).hostname or "").endswith((".svc", ".local"))]
    if inside:
        words = f"{', '.join(inside[:5])}: addresses in the cluster are private, and {PRIVATE} is false"
        yield warning(_NAME, words, _set(standing, administrator, PRIVATE, "true"))


def _access(
    standing: ClusterSettings, kinds: frozenset[str], administrator: Administrator
) -> Iterator[Check]:
    for kind, name in _ACCESS.items():
        if kind in kinds and not _is(standing, name, "true"):
            words = f"{name} is not true: a {kind} with spec.access is refused"
            yield failed(_NAME, words, _set(standing, administrator, name, "true"))


def _urls(spec: Mapping[str, Any]) -> Iterator[str]:
    parameters = spec.get("parameters")
    for action in spec.get("actions") or ():
        fixed = endpoint.fix_host(
            str(action.get("url")), parameters if isinstance(parameters, Mapping) else {}
        )
        if isinstance(fixed, str):
            yield fixed


def _pattern(url: str) -> str:
    """Return a pattern for the host of an address, and no other."""
    parts = urlsplit(_plain(url))
    return f"^{re.escape(f'{parts.scheme}://{parts.netloc}')}/.*$"


def _plain(url: str) -> str:
    """Return an address with something in place of each placeholder."""
    return re.sub(r"\$\{[^}]*\}", "x", url)


def _compiles(pattern: str) -> bool:
    """Whether Python can read it; the server reads patterns as Java does."""
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _is(standing: ClusterSettings, name: str, word: str) -> bool:
    return str(value(standing, name)).lower() == word


def _set(standing: ClusterSettings, administrator: Administrator, name: str, wanted: Any) -> Fix:
    """Return the request; a transient value would win over it, so it goes."""
    body: dict[str, Any] = {"persistent": {name: wanted}}
    if name in standing.transient:
        body["transient"] = {name: None}
    return administrator.sends("PUT", "/_cluster/settings", body)
