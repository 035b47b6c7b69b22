"""The local stack: its parts, built when they are not in the cache, started side by side, ended together."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

from cryptography.hazmat.primitives.serialization import PrivateFormat

from stack import go_binaries, versions
from stack.cache import Cache, Recipe, Say, cache_folder
from stack.certificates import write_key_pair
from stack.controlplane import ControlPlane, Programs, given_programs, packaged_kubectl, start_control_plane
from stack.modelserver.child import start_model_server
from stack.modelserver.client import ModelServer
from stack.network import LOOPBACK, Network
from stack.opensearch_home import opensearch_home
from stack.opensearch_node import Cluster, Member, OpenSearch, Program, given_opensearch, start_opensearch
from stack.ports import Ports
from stack.process import Processes
from stack.toolchain import Tool, java, require

ACCOUNT_KEY = "service-accounts.key"
"""The key that signs tokens of ServiceAccounts; its public half ends in .pub."""


def say_on_stderr(line: str) -> None:
    """Show a line of progress."""
    print(line, file=sys.stderr, flush=True)


@dataclass
class Stack:
    """The servers of one run. Each is built and started when it is first asked for, or by start() before.

    `folder` holds their data and logs. It is removed at the end, but for the logs if `keep_folder` is set.
    """

    folder: Path
    processes: Processes
    ports: Ports
    cache: Cache
    environ: Mapping[str, str]
    keep_folder: bool = False
    network: Network = LOOPBACK
    _opensearch: dict[str, OpenSearch] = field(default_factory=dict, init=False)
    _clusters: Iterator[int] = field(default_factory=lambda: itertools.count(1), init=False)

    @cached_property
    def control_plane(self) -> ControlPlane:
        """The Kubernetes control plane."""
        programs = self._programs()
        folder = self._part_folder("kubernetes")
        return start_control_plane(
            folder,
            programs,
            self.processes,
            self.ports,
            self.environ,
            self.folder / ACCOUNT_KEY,
            self.network,
        )

    @cached_property
    def model_server(self) -> ModelServer:
        """The model server."""
        return start_model_server(self._part_folder("models"), self.processes, self.ports, self.environ)

    def opensearch(self, version: str) -> OpenSearch:
        """Return the OpenSearch of a release: the one that the environment names, or a node of our own."""
        if version not in self._opensearch:
            self._opensearch[version] = given_opensearch(version, self.environ) or self._start_node(version)
        return self._opensearch[version]

    def opensearch_cluster(self, version: str, *, nodes: int) -> tuple[OpenSearch, ...]:
        """Start a cluster of several nodes, each of which takes requests; every call starts one more."""
        name = f"cluster-{next(self._clusters)}"
        members = [Member(f"{name}-node-{number}", self.ports.take()) for number in range(1, nodes + 1)]
        started: dict[str, OpenSearch] = {}

        def start(member: Member) -> None:
            started[member.name] = self._start_node(version, Cluster(member, members))

        self._side_by_side([partial(start, member) for member in members])
        return tuple(started[member.name] for member in members)

    def use(self, node: OpenSearch) -> None:
        """Take a server of somebody else's for its release, and start none."""
        self._opensearch[node.version] = node

    def helm(self) -> Path:
        """Return the Helm command."""
        return self.built(go_binaries.helm()) / "helm"

    def promtool(self) -> Path:
        """Return Prometheus' own checker of rules and metrics."""
        return self.built(go_binaries.prometheus()) / "promtool"

    def prometheus(self) -> Path:
        """Return Prometheus itself."""
        return self.built(go_binaries.prometheus()) / "prometheus"

    def logs(self) -> list[Path]:
        """Return the logs of all servers that were started."""
        return sorted(self.folder.glob("*/*.log"))

    def start(self, *, opensearch: Sequence[str], kubernetes: bool, models: bool) -> None:
        """Start several parts side by side. Raises MissingToolsError before anything is built."""
        own = [
            version
            for version in opensearch
            if version not in self._opensearch and given_opensearch(version, self.environ) is None
        ]
        self._check_tools(self._recipes(own, kubernetes=kubernetes), [_java(version) for version in own])
        if kubernetes and self._assets() is None:
            packaged_kubectl()
        parts: list[Callable[[], object]] = [partial(self.opensearch, version) for version in opensearch]
        if kubernetes:
            parts.append(lambda: self.control_plane)
        if models:
            parts.append(lambda: self.model_server)
        self._side_by_side(parts)

    def build(self, *, opensearch: Sequence[str], kubernetes: bool, commands: bool) -> None:
        """Fill the cache and start nothing. Raises MissingToolsError before anything is built."""
        homes = self._recipes(opensearch, kubernetes=False)
        # One after the other: they share most of what they compile.
        go = self._recipes([], kubernetes=kubernetes)
        go += [go_binaries.helm(), go_binaries.prometheus()] if commands else []
        self._check_tools([*homes, *go], [])
        self._side_by_side([*(partial(self.built, home) for home in homes), lambda: [*map(self.built, go)]])

    def _start_node(self, version: str, cluster: Cluster | None = None) -> OpenSearch:
        tool = _java(version)
        java_command = require([tool], self.environ)[tool]
        return start_opensearch(
            Program(version, self.built(opensearch_home(version)), java_command),
            self._part_folder(f"opensearch-{version}" if cluster is None else cluster.me.name),
            self.processes,
            self.ports,
            self.environ,
            (self.folder / ACCOUNT_KEY).with_suffix(".pub"),
            cluster,
            self.network,
        )

    def _programs(self) -> Programs:
        """Return the control plane's programs: those of KUBEBUILDER_ASSETS when it is set, or our own."""
        built = {recipe.name: self.built(recipe) for recipe in self._recipes([], kubernetes=True)}
        assets = self._assets()
        if assets is not None:
            return given_programs(assets, built.get("kubernetes"))
        return Programs(
            etcd=built["etcd"] / "etcd",
            api_server=built["kubernetes"] / "kube-apiserver",
            controller_manager=built["kubernetes"] / "kube-controller-manager",
            kubectl=packaged_kubectl(),
        )

    def _assets(self) -> Path | None:
        assets = self.environ.get("KUBEBUILDER_ASSETS")
        return Path(assets) if assets else None

    def _recipes(self, opensearch: Sequence[str], *, kubernetes: bool) -> list[Recipe]:
        recipes = [opensearch_home(version) for version in opensearch]
        if kubernetes:
            assets = self._assets()
            if assets is None:
                recipes.append(go_binaries.etcd())
            if assets is None or not (assets / "kube-controller-manager").exists():
                recipes.append(go_binaries.kubernetes())
        return recipes

    def _check_tools(self, recipes: Sequence[Recipe], to_run: Sequence[Tool]) -> None:
        to_build = [tool for recipe in recipes if not self.cache.has(recipe) for tool in recipe.tools]
        require([*to_build, *to_run], self.environ)

    def built(self, recipe: Recipe) -> Path:
        """Return the folder of a built entry of the cache. Raises MissingToolsError and BuildError."""
        tools = {} if self.cache.has(recipe) else require(recipe.tools, self.environ)
        return self.cache.get(recipe, tools, self.processes, self.environ)

    def _part_folder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir()
        return folder

    def _side_by_side(self, parts: Sequence[Callable[[], object]]) -> None:
        """Do all in threads; at the first failure, or Ctrl-C, end the processes that the others wait for."""
        with ThreadPoolExecutor(max_workers=max(1, len(parts))) as threads:
            try:
                done = wait([threads.submit(part) for part in parts], return_when=FIRST_EXCEPTION).done
                for part in done:
                    part.result()
            except BaseException:
                self.processes.close()
                raise


@contextlib.contextmanager
def open_stack(
    environ: Mapping[str, str] = os.environ, say: Say = say_on_stderr, network: Network = LOOPBACK
) -> Iterator[Stack]:
    """Open a stack whose parts start when they are first asked for.

    At the end, however it comes, every process is gone. After an exception the logs stay.
    """
    cache = Cache(cache_folder(environ), say)
    folder = Path(tempfile.mkdtemp(prefix="opensearch-ml-operator-"))
    # One server signs tokens with it, the other verifies them, and they start side by side.
    write_key_pair(folder / ACCOUNT_KEY, PrivateFormat.TraditionalOpenSSL)
    with Ports(cache.root / "ports", random.SystemRandom()) as ports, Processes() as processes:
        stack = Stack(folder, processes, ports, cache, dict(environ), network=network)
        try:
            yield stack
        except Exception:
            stack.keep_folder = True
            raise
        finally:
            processes.close()
            if stack.keep_folder and stack.logs():
                _remove_all_but_logs(folder)
                say(f"the logs are in {folder}")
            else:
                shutil.rmtree(folder)


@contextlib.contextmanager
def start_stack(
    opensearch: Sequence[str] = (versions.OPENSEARCH_3,),
    *,
    kubernetes: bool = True,
    models: bool = True,
    environ: Mapping[str, str] = os.environ,
    say: Say = say_on_stderr,
) -> Iterator[Stack]:
    """Start the named parts side by side and end them with the context.

    Raises MissingToolsError, BuildError or ServerError, each with a text that says what to do or what the
    server's log says.
    """
    with open_stack(environ, say) as stack:
        stack.start(opensearch=opensearch, kubernetes=kubernetes, models=models)
        yield stack


def _remove_all_but_logs(folder: Path) -> None:
    """Remove data, keys and tokens: etcd alone leaves more than 100 MB."""
    for parent, folders, files in os.walk(folder, topdown=False):
        for name in [*folders, *files]:
            path = Path(parent, name)
            if path.is_symlink() or (path.is_file() and path.suffix != ".log"):
                path.unlink()  # a link leads into the cache
            elif path.is_dir() and not any(path.iterdir()):
                path.rmdir()


def _java(version: str) -> Tool:
    return java(versions.JAVA[version])
