"""All that the operators have said and were told, in the order in which the servers saw it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from .naming import document
from .wire import Request, Response

Server = Literal["kube", "opensearch"]
COUNTED: Final = 37.0
"""Seconds within which each connection has had a health check: every 30 s, a fifth more or less."""


@dataclass(slots=True)
class Entry:
    """One request. It has `response` once the server has answered; `told` is what the sender heard of it."""

    server: Server
    sender: int
    label: str
    """Name and occurrence of a call with an effect; empty for a read."""
    request: Request
    sent_at: float
    answered_at: float | None = None
    response: Response | None = None
    told: int | None = None
    fate: str = ""
    """What a fault has done to it."""
    team: str = ""
    """Whose call it is, where several plans share the operator."""
    copy: bool = False
    """Whether the network has sent it again, not the operator."""

    @property
    def applied(self) -> bool:
        """Whether the server has carried it out, as far as its answer tells."""
        return self.response is not None and self.response.status < 300

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object that was sent."""
        return document(self.request.body)

    @property
    def answer(self) -> dict[str, Any]:
        """The JSON object that the server has answered."""
        return document(self.response.body) if self.response is not None else {}

    def __str__(self) -> str:
        status = self.response.status if self.response is not None else "-"
        words = f"{self.server} {self.request.method} {self.request.path} {status}"
        told = "" if self.told == status else f" told {self.told}"
        return f"{self.sent_at:9.2f} {words}{told} {self.label} {self.fate}".rstrip()


@dataclass(slots=True)
class History:
    """The entries twice: as sent, and as answered, which is the order of the effects."""

    clock: Callable[[], float]
    sent: list[Entry] = field(default_factory=list)
    answered: list[Entry] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    """When an operator was started: who is new does again what his predecessor has done in vain."""

    def begin(self, entry: Entry) -> Entry:
        """Note a request."""
        self.sent.append(entry)
        return entry

    def answer(self, entry: Entry, response: Response) -> None:
        """Note the server's own answer."""
        entry.response, entry.answered_at = response, self.clock()
        self.answered.append(entry)

    def effects(self, since: int = 0) -> Iterator[Entry]:
        """Return the calls with an effect, from one on."""
        return (entry for entry in self.sent[since:] if entry.label)

    def of(self, team: str) -> History:
        """Return what concerns one team."""
        sent = [entry for entry in self.sent if entry.team == team]
        answered = [entry for entry in self.answered if entry.team == team]
        return History(self.clock, sent, answered, self.starts)

    def text(self) -> str:
        """Show the calls, one a line, for the report of a failed plan."""
        return "\n".join(str(entry) for entry in self.sent if not entry.request.watches)


def is_count(entry: Entry, since: float) -> bool:
    """Whether a connection notes by how many it is used now, as it does with its next health check."""
    return "opensearchconnections" in entry.label and entry.sent_at < since + COUNTED
