"""Whose a request is, where many teams share one operator."""

from __future__ import annotations

from collections.abc import Callable

from .naming import document, opensearch_id
from .script import Script
from .users import Users
from .wire import Request, Response


class Teams:
    """Tells from a request whose it is: by the namespace, by the name of the new object, by the id."""

    def __init__(self) -> None:
        self.kill: Callable[[int], None] = lambda _: None
        self._scripts: dict[str, Script] = {}
        self._owners: dict[str, str] = {}
        self._nobody = Script()

    def add(self, team: str) -> Script:
        """Return the script of a new team."""
        self._scripts[team] = Script(self.kill, team=team)
        return self._scripts[team]

    def of(self, request: Request) -> Script:
        """Return the script of the team, or one without faults."""
        return self._scripts.get(self._team(request), self._nobody)

    def learn(self, request: Request, response: Response) -> None:
        """Remember whose a new remote object is."""
        team = str(document(request.body).get("name", "")).partition(" ")[0]
        if team in self._scripts and request.method == "POST":
            for name in ("model_id", "connector_id", "model_group_id"):
                id_ = document(response.body).get(name)
                if id_ is not None:
                    self._owners[str(id_)] = team

    def claim(self, users: Users) -> None:
        """Count what was planted for a team as its own."""
        for ids in users.foreign.values():
            self._owners |= dict.fromkeys(ids, users.namespace)

    def _team(self, request: Request) -> str:
        parts = request.path.split("/")
        if "namespaces" in parts[:-1]:
            return parts[parts.index("namespaces") + 1]
        if id_ := opensearch_id(request):
            return self._owners.get(id_, "")
        return str(document(request.body).get("name", "")).partition(" ")[0]


class Everybody(Teams):
    """All under one script."""

    def __init__(self, script: Script) -> None:
        super().__init__()
        self._script = script

    def of(self, request: Request) -> Script:  # noqa: ARG002 - whose it is makes no difference
        return self._script
