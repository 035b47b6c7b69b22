from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
import yaml

from stack import versions
from stack.network import Network
from stack.opensearch_home import DISTRIBUTIONS
from stack.opensearch_node import (
    STARTS,
    TRUSTED_ENDPOINTS,
    Cluster,
    Member,
    OpenSearch,
    given_opensearch,
    node_settings,
    render_settings,
)
from stack.server import Server, ServerError


@pytest.mark.parametrize("version", versions.OPENSEARCH)
def test_rendered_settings_are_yaml_that_means_the_settings(version: str) -> None:
    settings = node_settings(version, http_port=20001, transport_port=20002)
    assert yaml.safe_load(render_settings(settings)) == settings
    assert settings["http.port"] == 20001
    assert settings["network.host"] == settings["http.host"] == "127.0.0.1"


def test_only_clients_reach_it_from_elsewhere() -> None:
    network = Network("10.201.0.1")
    settings = node_settings(versions.OPENSEARCH_3, http_port=1, transport_port=2, network=network)
    assert (settings["http.host"], settings["network.host"]) == ("10.201.0.1", "127.0.0.1")


def test_only_the_release_with_security_has_its_settings() -> None:
    old = node_settings(versions.OPENSEARCH_2, http_port=1, transport_port=2)
    new = node_settings(versions.OPENSEARCH_3, http_port=1, transport_port=2)
    assert old["plugins.security.ssl.http.enabled"] is True
    assert old["plugins.ml_commons.connector_access_control_enabled"] is True
    # An unknown setting ends the server at its start.
    assert not [name for name in new if "security" in name or "access_control" in name]


def test_the_nodes_of_a_cluster_find_each_other() -> None:
    members = [Member("one", 20003), Member("two", 20004)]
    one, two = (
        node_settings(
            versions.OPENSEARCH_3,
            http_port=1,
            transport_port=each.transport_port,
            cluster=Cluster(each, members),
        )
        for each in members
    )
    assert (one.pop("node.name"), two.pop("node.name")) == ("one", "two")
    assert (one.pop("transport.port"), two.pop("transport.port")) == (20003, 20004)
    assert one == two
    assert one["discovery.seed_hosts"] == ["127.0.0.1:20003", "127.0.0.1:20004"]
    assert one["cluster.initial_cluster_manager_nodes"] == ["one", "two"]
    assert "discovery.type" not in one  # a lone node would not look for the others


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("http://127.0.0.1:20000/v1/embeddings", True),
        ("https://localhost:20000/v1/embeddings", True),
        ("http://127.0.0.1.example.org:80/", False),
        ("http://127x0x0x1:80/", False),
        ("https://api.example.org/v1/embeddings", False),
    ],
)
def test_trusted_endpoints_are_loopback_alone(url: str, *, trusted: bool) -> None:
    assert any(re.fullmatch(pattern, url) for pattern in TRUSTED_ENDPOINTS) is trusted


def test_environment_names_a_server_of_its_own() -> None:
    environ = {
        "OPENSEARCH_2_19_1_URL": "https://127.0.0.1:9200/",
        "OPENSEARCH_2_19_1_USERNAME": "admin",
        "OPENSEARCH_2_19_1_PASSWORD": "secret",
        "OPENSEARCH_2_19_1_CA": "/certificates/ca.crt",
    }
    given = given_opensearch("2.19.1", environ)
    assert given is not None
    assert (given.url, given.username, given.password) == ("https://127.0.0.1:9200", "admin", "secret")
    assert given.ca_file == Path("/certificates/ca.crt")
    assert given.log_file is None
    with pytest.raises(ServerError, match="not ours to stop"):
        given.stop()
    assert given_opensearch("3.6.0", environ) is None


def test_every_distribution_resolves_its_server_modules_and_plugins() -> None:
    for version, distribution in DISTRIBUTIONS.items():
        folders = distribution.folders()
        assert {artifact.name for artifact in folders["lib"]} >= {"opensearch", "log4j-core"}
        assert set(folders) == {
            "lib",
            *(f"modules/{module}" for module in distribution.modules),
            *(f"plugins/{plugin}" for plugin in distribution.plugins),
        }
        assert {artifact.version for artifact in folders["plugins/opensearch-ml-plugin"]} >= {f"{version}.0"}


def test_plugin_archive_comes_alone_and_a_server_jar_with_what_it_needs() -> None:
    folders = DISTRIBUTIONS[versions.OPENSEARCH_3].folders()
    server, plugin = folders["lib"][0].xml(), folders["plugins/opensearch-ml-plugin"][0].xml()
    assert "<artifactId>opensearch-ml-plugin</artifactId><version>3.6.0.0</version><type>zip</type>" in plugin
    assert "<exclusions>" in plugin
    assert (
        "<artifactId>opensearch</artifactId><version>3.6.0</version><type>jar</type></dependency>" in server
    )


@dataclass
class Starts:
    """Stands for a node's process, and counts."""

    begun: int = 0
    ended: int = 0

    def start(self) -> None:
        self.begun += 1

    def stop(self, *, seconds: float) -> None:
        assert seconds > 0
        self.ended += 1


@pytest.mark.parametrize(
    ("drawn", "starts"),
    [
        (["aqMuJaIBmChuVzeuULjx"], 1),
        (["-qMuJaIBmChuVzeuUL-x"], 1),  # not the node's part
        (["eJApJaIBK-VxrxbJmWpG", "eJApJaIBKAVxrxb-mWpG", "eJApJaIBKAVxrxbTmWpG"], 3),
        (["eJApJaIBK-VxrxbJmWpG"] * STARTS, STARTS),  # it is good enough for most
    ],
)
def test_a_node_that_has_a_hyphen_in_all_its_ids_is_started_again(
    monkeypatch: pytest.MonkeyPatch, drawn: list[str], starts: int
) -> None:
    server, ids = Starts(), iter(drawn)
    monkeypatch.setattr(OpenSearch, "_new_id", lambda _: next(ids))
    node = OpenSearch(versions.OPENSEARCH_3, "http://127.0.0.1:9", None, None, None, cast("Server", server))
    node.start()
    assert (server.begun, server.ended) == (starts, starts - 1)
