"""OpenSearch is a Service: the operator's pod finds it by its name, as on most clusters."""

from __future__ import annotations

import json

import httpx

from stack import versions
from stack.node.box import NETWORK
from stack.opensearch_node import OpenSearch
from support.live_kube import Document
from support.live_stage import open_stage
from support.node_release import SETTINGS, Release

NAME, NAMESPACE, _ = (NETWORK.service or "").split(".")
PORT = 9200


def test_a_connection_finds_opensearch_by_the_name_of_its_service(release: Release) -> None:
    release.install(SETTINGS)
    kubectl = release.node.stack.control_plane.run_kubectl
    with open_stage(release.node.stack, NAMESPACE, versions.OPENSEARCH_2) as stage:
        endpoint = f"https://{NETWORK.service}:{PORT}"
        stage.kube.apply(*stage.sets.connection(endpoints=[endpoint]), stage.sets.key())
        told = stage.kube.until_reason("OpenSearchConnection", "main", "Unreachable")
        assert f"{NETWORK.service}:{PORT}" in told

        kubectl("apply", "--filename=-", document=json.dumps(service_of(stage.sets.node)))
        stage.kube.until_ready("OpenSearchConnection", "main")
        model = stage.perform("first")
        assert stage.remote.predict(model).is_success

        stage.kube.delete_all()
        stage.until_nothing_is_left()


def service_of(server: OpenSearch) -> Document:
    """Return a Service in front of a server that is no pod."""
    url = httpx.URL(server.url)
    names = {"name": NAME, "namespace": NAMESPACE}
    port = {"name": "https", "protocol": "TCP"}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": names,
        "spec": {"ports": [{**port, "port": PORT, "targetPort": url.port}]},
    }
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**names, "labels": {"kubernetes.io/service-name": NAME}},
        "addressType": "IPv4",
        "ports": [{**port, "port": url.port}],
        "endpoints": [{"addresses": [url.host], "conditions": {"ready": True}}],
    }
    return {"apiVersion": "v1", "kind": "List", "items": [service, endpoints]}
