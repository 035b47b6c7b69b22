"""The model server from a test's side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import TypeAdapter

from stack.modelserver.control import Fault, Keys, RecordedRequest
from stack.server import Server

RECORDED = TypeAdapter(list[RecordedRequest])
TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ModelServer:
    """A running model server. Every call raises httpx.HTTPError when it does not answer as it should."""

    url: str
    server: Server

    def requests(self, since: int = 0) -> list[RecordedRequest]:
        """Return the recorded requests, oldest first: those with a number above `since`."""
        return RECORDED.validate_json(self._call("GET", f"/_control/requests?since={since}").content)

    def forget_requests(self) -> None:
        """Forget the recorded requests. Their numbers go on."""
        self._call("DELETE", "/_control/requests")

    def set_fault(self, fault: Fault) -> None:
        """Let the requests of the fault's path go wrong from now on."""
        self._call("PUT", "/_control/faults", fault.model_dump_json())

    def clear_faults(self) -> None:
        """Answer well from now on."""
        self._call("DELETE", "/_control/faults")

    def accept_keys(self, keys: Iterable[str] | None) -> None:
        """Accept these API keys alone, None for any."""
        accepted = Keys(accepted=frozenset(keys) if keys is not None else None)
        self._call("PUT", "/_control/keys", accepted.model_dump_json())

    def is_ready(self) -> bool:
        """Tell whether the server answers."""
        try:
            self.requests()
        except httpx.TransportError:
            return False
        return True

    def _call(self, method: str, path: str, content: Any = None) -> httpx.Response:
        # Loading the system's certificates would take each client 20 ms.
        with httpx.Client(
            trust_env=False,
            timeout=TIMEOUT_SECONDS,
            verify=False,  # noqa: S501 - there is no TLS, so nothing to verify
        ) as client:
            return client.request(method, f"{self.url}{path}", content=content).raise_for_status()
