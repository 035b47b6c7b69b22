"""One OpenSearch node with ML Commons, in a folder of its own, or one that the environment names."""

from __future__ import annotations

import json
import secrets
import shutil
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt
import httpx

from stack import versions
from stack.certificates import Authority
from stack.network import LOOPBACK, Network
from stack.ports import Ports
from stack.process import Processes
from stack.server import Server, ServerError

READY_SECONDS = 120.0
HEAP = "512m"
ADMIN = "admin"
NODE = "node"
AUDIENCE = "opensearch"
STARTS = 5
NODES_PART = slice(8, 16)
"""The part of an id that a node draws when it starts. Source: TimeBasedUUIDGenerator, in base64."""
# The model server of the stack; a test that needs more sets it through the API and sets it back to null.
TRUSTED_ENDPOINTS = (r"^http://127\.0\.0\.1:.*$", r"^https?://localhost:.*$")


@dataclass(frozen=True, slots=True)
class OpenSearch:
    """An OpenSearch that answers. `username` and `password` are the administrator's, None without Security.

    A server given by the environment has no `server`: it is not ours to stop. With an `authority` of ours it
    takes certificates of users, whose name is the CN, and tokens of ServiceAccounts for AUDIENCE.
    """

    version: str
    url: str
    username: str | None
    password: str | None
    ca_file: Path | None
    server: Server | None
    authority: Authority | None = None

    def client(self, username: str | None = None, password: str | None = None) -> httpx.Client:
        """Return an HTTP client, the administrator's unless another user is named. The caller closes it."""
        user = (username, password) if username is not None else (self.username, self.password)
        return httpx.Client(
            base_url=self.url,
            auth=(user[0], user[1]) if user[0] is not None and user[1] is not None else None,
            verify=ssl.create_default_context(cafile=self.ca_file)
            if self.url.startswith("https:")
            else False,
            trust_env=False,
            timeout=30,
        )

    @property
    def log_file(self) -> Path | None:
        """The node's log, None for a given server."""
        return self.server.log_file if self.server is not None else None

    def start(self) -> None:
        """Start the node, with its data and at its address; return when it answers.

        One node in eight has a hyphen in its part of all ids. OpenSearch then takes connectors to be used by
        models of others, and keeps them until those are gone: such a node is started again.
        """
        for left in reversed(range(STARTS)):
            self._own().start()
            if not left or "-" not in self._new_id()[NODES_PART]:
                return
            self.stop()

    def stop(self, *, seconds: float = 20) -> None:
        """Stop the node; its data stays. 0 seconds is a crash."""
        self._own().stop(seconds=seconds)

    def pause(self) -> None:
        """Freeze the node: it keeps its connections and answers nothing."""
        self._own().pause()

    def resume(self) -> None:
        """Let a paused node go on."""
        self._own().resume()

    def create_user(self, name: str, password: str, role_name: str, role: Mapping[str, Any]) -> None:
        """Make a user with one role (the body of Security's REST API), or replace both.

        Raises httpx.HTTPStatusError when Security refuses.
        """
        self._configure(f"internalusers/{name}", {"password": password})
        self.give_role(name, role_name, role)

    def give_role(self, name: str, role_name: str, role: Mapping[str, Any]) -> None:
        """Give one role to a user, and to nobody else; a certificate or a token may say who the user is.

        Raises httpx.HTTPStatusError when Security refuses.
        """
        self._configure(f"roles/{role_name}", dict(role))
        self._configure(f"rolesmapping/{role_name}", {"users": [name]})

    def _configure(self, path: str, body: dict[str, Any]) -> None:
        with self.client() as client:
            client.put(f"/_plugins/_security/api/{path}", json=body).raise_for_status()

    def _new_id(self) -> str:
        index = f"ids-{secrets.token_hex(4)}"  # nodes of one cluster start side by side
        with self.client() as client:
            made: str = client.post(f"/{index}/_doc", json={}).raise_for_status().json()["_id"]
            client.delete(f"/{index}").raise_for_status()
        return made

    def _own(self) -> Server:
        if self.server is None:
            raise ServerError(f"{self.url} was given by the environment: it is not ours to stop or start")
        return self.server


def given_opensearch(version: str, environ: Mapping[str, str]) -> OpenSearch | None:
    """Return the server that OPENSEARCH_<VERSION>_URL (_USERNAME, _PASSWORD, _CA) names, None without it."""
    prefix = f"OPENSEARCH_{version.replace('.', '_')}_"
    url = environ.get(f"{prefix}URL")
    if not url:
        return None
    ca_file = environ.get(f"{prefix}CA")
    return OpenSearch(
        version,
        url.rstrip("/"),
        environ.get(f"{prefix}USERNAME"),
        environ.get(f"{prefix}PASSWORD"),
        Path(ca_file) if ca_file else None,
        server=None,
    )


@dataclass(frozen=True, slots=True)
class Program:
    """A release that can be started: its built home, and the Java that runs it."""

    version: str
    home: Path
    java: Path


@dataclass(frozen=True, slots=True)
class Member:
    """One node of a cluster of several, as the others find it."""

    name: str
    transport_port: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster of several nodes as one of them, `me`, sees it."""

    me: Member
    members: Sequence[Member]


def node_settings(
    version: str,
    *,
    http_port: int,
    transport_port: int,
    cluster: Cluster | None = None,
    network: Network = LOOPBACK,
) -> dict[str, Any]:
    """Return the content of opensearch.yml, that of a lone node without a cluster."""
    settings: dict[str, Any] = {
        "cluster.name": "local-stack",
        **_discovery(cluster),
        "network.host": "127.0.0.1",
        "http.host": network.address,
        "http.port": http_port,
        "transport.port": transport_port,
        # A laptop's disk is often fuller than a server may be.
        "cluster.routing.allocation.disk.threshold_enabled": False,
        "plugins.ml_commons.only_run_on_ml_node": False,
        "plugins.ml_commons.connector.private_ip_enabled": True,
        "plugins.ml_commons.trusted_connector_endpoints_regex": list(TRUSTED_ENDPOINTS),
    }
    if version == versions.OPENSEARCH_2:
        settings |= _security_settings()
    return settings


def _discovery(cluster: Cluster | None) -> dict[str, Any]:
    if cluster is None:
        return {"discovery.type": "single-node"}
    return {
        "node.name": cluster.me.name,
        "discovery.seed_hosts": [f"127.0.0.1:{each.transport_port}" for each in cluster.members],
        "cluster.initial_cluster_manager_nodes": [each.name for each in cluster.members],
    }


def _security_settings() -> dict[str, Any]:
    prefix = "plugins.security"
    settings: dict[str, Any] = {
        f"{prefix}.allow_default_init_securityindex": True,
        f"{prefix}.nodes_dn": [f"CN={NODE}"],
        f"{prefix}.restapi.roles_enabled": ["all_access", "security_rest_api_access"],
        f"{prefix}.system_indices.enabled": True,
        f"{prefix}.system_indices.indices": [".plugins-ml-*"],
        f"{prefix}.ssl.transport.enforce_hostname_verification": False,
        f"{prefix}.ssl.http.enabled": True,
        "plugins.ml_commons.connector_access_control_enabled": True,
        "plugins.ml_commons.model_access_control_enabled": True,
    }
    for layer in ("transport", "http"):
        settings[f"{prefix}.ssl.{layer}.pemcert_filepath"] = f"{NODE}.crt"
        settings[f"{prefix}.ssl.{layer}.pemkey_filepath"] = f"{NODE}.key"
        settings[f"{prefix}.ssl.{layer}.pemtrustedcas_filepath"] = "ca.crt"
    return settings


def render_settings(settings: Mapping[str, Any]) -> str:
    """Return settings as the text of a YAML file: one JSON value a line, which is YAML too."""
    return "".join(f"{name}: {json.dumps(value)}\n" for name, value in settings.items())


def start_opensearch(
    program: Program,
    folder: Path,
    processes: Processes,
    ports: Ports,
    environ: Mapping[str, str],
    accounts: Path,
    cluster: Cluster | None = None,
    network: Network = LOOPBACK,
) -> OpenSearch:
    """Start a node of a release, and wait until it answers; one of a cluster does when most others are there.

    2.19.1 has Security: TLS by a certificate authority of its own, an administrator with a random password,
    and tokens of ServiceAccounts, whose public key is in `accounts`. Raises ServerError when the node is not
    ready in time.
    """
    version, home = program.version, program.home
    config, temporary = folder / "config", folder / "tmp"
    config.mkdir(parents=True)
    temporary.mkdir()
    for part in ("modules", "plugins"):
        (folder / part).symlink_to(home / part)
    http_port = ports.take()
    transport_port = cluster.me.transport_port if cluster is not None else ports.take()
    settings = node_settings(
        version, http_port=http_port, transport_port=transport_port, cluster=cluster, network=network
    )
    (config / "opensearch.yml").write_text(render_settings(settings))
    secure = version == versions.OPENSEARCH_2
    password = secrets.token_urlsafe(18) if secure else None
    authority = _write_security(config, home, password, accounts, network) if password is not None else None
    command: list[str | Path] = [
        program.java,
        f"-Xms{HEAP}",
        f"-Xmx{HEAP}",
        "-XX:TieredStopAtLevel=1",  # its life is short: half the CPU until it is ready, slower only when warm
        "-XX:-UsePerfData",  # it writes outside the run's folder
        f"-Djava.io.tmpdir={temporary}",
        f"-Dlog4j2.configurationFile={Path(__file__).parent / 'opensearch' / 'log4j2.properties'}",
        "-cp",
        f"{home / 'launcher'}:{home / 'lib'}/*",
        "Launcher",
        folder,
    ]
    node: OpenSearch

    def is_ready() -> bool:
        return _answers(node)

    name = f"opensearch-{version}" if cluster is None else cluster.me.name
    log_file = folder / f"{name}.log"
    server = Server(
        processes,
        name,
        command,
        log_file,
        env=environ,
        ready=is_ready,
        ready_seconds=READY_SECONDS,
        cwd=folder,
    )
    url = f"{'https' if secure else 'http'}://{network.address}:{http_port}"
    ca_file = authority.ca_file if authority is not None else None
    node = OpenSearch(version, url, ADMIN if secure else None, password, ca_file, server, authority)
    node.start()
    return node


def _write_security(config: Path, home: Path, password: str, accounts: Path, network: Network) -> Authority:
    """Write the certificates and Security's own configuration with one user; return the authority."""
    authority = Authority.create(config)
    authority.issue(NODE, [network.address], [network.service] if network.service else [])
    shutil.copytree(home / "plugins" / "opensearch-security" / "config", config / "opensearch-security")
    password_hash = bcrypt.hashpw(password.encode(), bcrypt.gensalt(prefix=b"2a")).decode()
    users = {
        "_meta": {"type": "internalusers", "config_version": 2},
        ADMIN: {"hash": password_hash, "reserved": True, "backend_roles": ["admin"]},
    }
    (config / "opensearch-security" / "internal_users.yml").write_text(render_settings(users))
    logins = render_settings(_logins(accounts.read_text()))
    (config / "opensearch-security" / "config.yml").write_text(logins)
    return authority


def _logins(public_key: str) -> dict[str, Any]:
    """Return the ways to log in, each of which leaves the next ones what it does not know."""
    token = {
        "type": "jwt",
        "challenge": False,
        "config": {"signing_key": public_key, "jwt_header": "Authorization", "required_audience": AUDIENCE},
    }
    certificate = {"type": "clientcert", "challenge": False, "config": {"username_attribute": "cn"}}
    password = {"type": "basic", "challenge": True}
    ways = [("tokens", token, "noop"), ("certificates", certificate, "noop"), ("users", password, "intern")]
    domains = {
        name: {
            "http_enabled": True,
            "order": order,
            "http_authenticator": how,
            "authentication_backend": {"type": backend},
        }
        for order, (name, how, backend) in enumerate(ways)
    }
    return {
        "_meta": {"type": "config", "config_version": 2},
        "config": {"dynamic": {"http": {"anonymous_auth_enabled": False}, "authc": domains}},
    }


def _answers(node: OpenSearch) -> bool:
    with node.client() as client:
        try:
            return client.get("/_cluster/health", params={"wait_for_status": "yellow"}).is_success
        except httpx.TransportError:
            return False
