"""A Prometheus for tests, on loopback: scrapes one operator each second and evaluates rules as often."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from stack.local import Stack
from stack.server import Server

READY_SECONDS = 60.0
INTERVAL = "1s"


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus."""

    url: str
    server: Server

    def ask(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer of its API. Raises httpx.HTTPStatusError with what it says."""
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, trust_env=False, timeout=30)
        return answer.raise_for_status().json()["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Evaluate an expression now, and return its series."""
        found: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return found

    def firing(self) -> list[dict[str, str]]:
        """Return the labels of the alerts that fire."""
        alerts = self.ask("alerts")["alerts"]
        return [each["labels"] for each in alerts if each["state"] == "firing"]


def start_prometheus(stack: Stack, target: str, rules: Mapping[str, Any]) -> Prometheus:
    """Start a Prometheus that scrapes `target` (host and port) as the chart's ServiceMonitor has it scraped.

    Raises ServerError.
    """
    folder = Path(tempfile.mkdtemp(prefix="prometheus-", dir=stack.folder))
    (folder / "rules.yaml").write_text(yaml.safe_dump(dict(rules)))
    scrape = {"job_name": "operator", "honor_labels": True, "static_configs": [{"targets": [target]}]}
    config = {
        "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL, "evaluation_interval": INTERVAL},
        "rule_files": [str(folder / "rules.yaml")],
        "scrape_configs": [scrape],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{stack.ports.take()}"
    server = Server(
        stack.processes,
        "prometheus",
        [
            stack.prometheus(),
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
        ],
        folder / "prometheus.log",
        env={"HOME": str(folder)},
        ready=lambda: _is_ready(f"http://{address}"),
        ready_seconds=READY_SECONDS,
        cwd=folder,
    )
    server.start()
    return Prometheus(f"http://{address}", server)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", trust_env=False).is_success
    except httpx.TransportError:
        return False
