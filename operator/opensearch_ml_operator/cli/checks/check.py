"""One thing that was looked at: what came of it, and how to mend it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What came of a look."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Fix:
    """A command that mends it; when it is a request to OpenSearch, also as data, for scripts."""

    command: str
    request: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the result."""

    name: str
    verdict: Verdict
    message: str
    fixes: tuple[Fix, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the check as JSON."""
        fixes = [
            {"command": fix.command} | ({"request": fix.request} if fix.request is not None else {})
            for fix in self.fixes
        ]
        document = {"name": self.name, "verdict": self.verdict.value, "message": self.message}
        return document | ({"fixes": fixes} if fixes else {})


def ok(name: str, message: str) -> Check:
    """Return a look that found nothing wrong."""
    return Check(name, Verdict.OK, message)


def warning(name: str, message: str, *fixes: Fix) -> Check:
    """Return what may be meant so, and is worth a thought."""
    return Check(name, Verdict.WARNING, message, fixes)


def failed(name: str, message: str, *fixes: Fix) -> Check:
    """Return what is wrong."""
    return Check(name, Verdict.FAILED, message, fixes)


def skipped(name: str, message: str) -> Check:
    """Return what could not be looked at, and why."""
    return Check(name, Verdict.SKIPPED, message)


@dataclass(frozen=True, slots=True)
class Administrator:
    """How an administrator of OpenSearch, who is not the operator's user, sends a request with curl."""

    endpoint: str
    secured: bool

    def sends(self, method: str, path: str, body: Any) -> Fix:
        """Return a request as a fix."""
        tls = "--cacert ca.crt " if self.endpoint.startswith("https:") else ""
        user = "-u admin " if self.secured else ""
        command = (
            f"curl {tls}{user}-X {method} -H 'Content-Type: application/json' "
            f"{shlex.quote(self.endpoint.rstrip('/') + path)} -d {shlex.quote(json.dumps(body))}"
        )
        return Fix(command, {"method": method, "path": path, "body": body})

    def sets(self, **settings: Any) -> Fix:
        """Return a change of persistent cluster settings as a fix."""
        return self.sends("PUT", "/_cluster/settings", {"persistent": settings})
