"""Where the servers of a stack listen: on loopback, or where the pods of a node reach them too."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Network:
    """The address of kube-apiserver and OpenSearch, and the range of Services' addresses.

    With a `node`, pods run and use both; without one, nobody looks at Services.
    """

    address: str = "127.0.0.1"
    services: str = "10.0.0.0/24"
    node: str | None = None
    service: str | None = None
    """A Service through which pods call a secured OpenSearch: its certificate is for this name too."""

    @property
    def api_service(self) -> str:
        """The address of the Service `kubernetes`: always the first of the range."""
        return str(ipaddress.ip_network(self.services)[1])


LOOPBACK = Network()
