"""Bugs put into the operator on purpose: each is caught by the plan beside it, or the oracles are blind.

A bug is a few words of the operator's source replaced by others; it lives in a copy of the package.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .plan import Fault, Plan, Variant

PACKAGE: Final = Path(__file__).parents[3] / "operator" / "opensearch_ml_operator"
_TESTS: Final = Path(__file__).parents[2]
MOST_SECONDS: Final = 400


@dataclass(frozen=True, slots=True)
class Bug:
    """What is replaced in which file (`changes`: file, words, words instead), and what must catch it."""

    name: str
    changes: tuple[tuple[str, str, str], ...]
    plan: Plan

    def missing(self) -> list[str]:
        """Return the files in which the words do not stand exactly once: the code has moved on."""
        return [
            file for file, before, _ in self.changes if (PACKAGE / file).read_text("utf-8").count(before) != 1
        ]

    def plant(self, folder: Path) -> None:
        """Write a copy of the package with the bug in it into a folder."""
        copy = folder / PACKAGE.name
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        for file, before, after in self.changes:
            path = copy / file
            path.write_text(path.read_text("utf-8").replace(before, after), "utf-8")


def catch(bug: Bug, folder: Path) -> str:
    """Run the bug's plan in a process of its own; return what was found, empty when nothing was."""
    bug.plant(folder)
    plan = folder / "plan.json"
    bug.plan.save(plan)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (folder, _TESTS, _TESTS.parent)))}
    try:
        answer = subprocess.run(
            [sys.executable, "-m", "support.faults", str(plan), "--no-reference"],
            env=environ,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=MOST_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"it is never at rest: no time passes, and no end after {MOST_SECONDS} s"
    lines = answer.stdout.splitlines()
    return lines[1] if answer.returncode == 1 and len(lines) > 1 else ""


def _bug(name: str, plan: Plan, *changes: tuple[str, str, str]) -> Bug:
    return Bug(name, changes, plan)


def _plan(workload: str, call: str = "", variant: Variant = Variant.RESET) -> Plan:
    return Plan(workload, (Fault(call, variant),) if call else ())


_CREATION: Final = "reconcilers/creation/steps.py"
_PROTOCOL: Final = "reconcilers/creation/protocol.py"
_CONNECTOR: Final = "reconcilers/connector/reconciler.py"
_MANAGED: Final = "reconcilers/managed.py"
_CREATE_CONNECTOR: Final = "opensearch: create-connector #1"
_REGISTER: Final = "opensearch: register-model #1"

BUGS: Final[Mapping[str, Bug]] = {
    bug.name: bug
    for bug in (
        _bug(
            "a create is sent without an intent",
            _plan("create"),
            (
                _CREATION,
                """                    facts = _creating(session, role, reason)
                    await self.intend(session, pending, *facts, **(with_intent or {}))
                case protocol.Send():""",
                """                    return _created(await self._send(session, post))
                case protocol.Send():""",
            ),
        ),
        _bug(
            "an unanswered create is sent again at once",
            _plan("create", _CREATE_CONNECTOR, Variant.RESET),
            (
                _CREATION,
                """                            return await self._refused(session, error, role)
                case protocol.Search():""",
                """                            return await self._refused(session, error, role)
                        return _created(await self._send(session, post))
                case protocol.Search():""",
            ),
        ),
        _bug(
            "no quiet period",
            _plan("create", _CREATE_CONNECTOR, Variant.ZOMBIE),
            (_PROTOCOL, "quiet_from = since + intention.quiet_period\n", "quiet_from = since\n"),
            (_PROTOCOL, "over = monotonic >= since + quiet_period", "over = True"),
            (
                _PROTOCOL,
                "memory.last_search is not None and memory.last_search >= since + quiet_period",
                "memory.last_search is not None",
            ),
        ),
        _bug(
            "an intent that is found is taken for one's own",
            _plan("create", _REGISTER, Variant.KILL_AFTER),
            (_PROTOCOL, "    if memory.fresh == pending:\n        return Send()", "    return Send()"),
        ),
        _bug(
            "what a search finds is not taken",
            _plan("create", _REGISTER, Variant.KILL_AFTER),
            (
                _PROTOCOL,
                "        return _adopt(found)\n    if memory.void",
                "        pass\n    if memory.void",
            ),
        ),
        _bug(
            "every error is taken for a refusal",
            _plan("create", _CREATE_CONNECTOR, Variant.APPLIED_500),
            ("errors.py", "return self is MLCode.AMBIGUOUS", "return False"),
        ),
        _bug(
            "work begins before the finalizer stands",
            _plan("create"),
            ("engine/workers.py", "elif snapshot.finalizer:", "elif not snapshot.deleting:"),
        ),
        _bug(
            "the answer to a deletion is believed",
            _plan("delete"),
            (_MANAGED, "return await self._get(object_id) is None", "return True"),
        ),
        _bug(
            "nobody searches before letting go",
            _plan("create", _REGISTER, Variant.TWICE),
            (
                _MANAGED,
                "    return hits[0] if hits else None",
                "    return hits[0] if hits and role is Role.GROUP else None",
            ),
        ),
        _bug(
            "a deletion does not wait for an unresolved create",
            _plan("doomed", _CREATE_CONNECTOR, Variant.ZOMBIE),
            (
                _MANAGED,
                "    if pending is None or pending.role != role.value:\n        return None\n    settled",
                "    if pending is None or pending.role:\n        return None\n    settled",
            ),
        ),
        _bug(
            "the status is written without comparing versions",
            _plan("two-create"),
            (
                "kube/status.py",
                '{"metadata": {"resourceVersion": snapshot.resource_version}, "status": changes}',
                '{"status": changes}',
            ),
        ),
        _bug(
            "a connector lets go at once",
            _plan("delete"),
            (
                _CONNECTOR,
                "if nothing or adoption.releases(self._ports, snapshot):",
                "if nothing or snapshot.uid:",
            ),
        ),
        _bug(
            "a credential in the status",
            _plan("create"),
            (
                "reconcilers/connector/target.py",
                "return Applied(digest(self.content), self.credentials.revision)",
                "return Applied(digest(self.content), ''.join(self.credentials.values.values()))",
            ),
        ),
        _bug(
            "an earlier connector is forgotten",
            _plan("swap"),
            (
                "reconcilers/connector/revisions.py",
                "if not await remover(wanted.client).remove(previous.id):",
                "if not previous.id:",
            ),
        ),
        _bug(
            "the intent of a connector stays",
            _plan("create"),
            (
                _CONNECTOR,
                '            origin="Created",\n            pending=None,\n',
                '            origin="Created",\n',
            ),
        ),
        _bug(
            "a change of a model is recorded and not sent",
            _plan("edit"),
            (
                "reconcilers/model/deployment.py",
                "        await client.update_model(model_id, target.update_request(body))\n",
                "",
            ),
        ),
        _bug(
            "remote objects carry no mark",
            _plan("create"),
            (_PROTOCOL, 'return f"{text} {token}" if text else token', 'return text or "none"'),
        ),
        _bug(
            "a 404 is believed for ever",
            _plan("create", "kube: patch remotemodels/model/status #2", Variant.REFUSED_404),
            (
                "engine/workers.py",
                "                self._queue.add_after(key, GONE_AGAIN, Priority.RESYNC)\n",
                "",
            ),
        ),
        _bug(
            "the HTTP layer repeats what got no answer",
            _plan("create", _CREATE_CONNECTOR, Variant.RESET),
            (
                "opensearch/transport.py",
                "for offset in range(len(self._endpoints)):",
                "for offset in range(2 * len(self._endpoints)):",
            ),
            (
                "opensearch/transport.py",
                "if error.code not in {MLCode.NOT_SENT, MLCode.TLS_FAILED}:\n                    self._pref",
                "if offset or not error.code.effect_unknown:\n                    self._pref",
            ),
        ),
        _bug(
            "kopf is told that a deletion is done",
            _plan("delete"),
            (
                "handlers.py",
                "            await listener.finalize(Snapshot.parse(kind.kind, body))\n",
                "            listener.observe(None, Snapshot.parse(kind.kind, body))\n",
            ),
        ),
        _bug(
            "the next revision has the number of the last one",
            _plan("swap"),
            (
                _CONNECTOR,
                "status.pending.revision if status.pending else status.revision + 1",
                "status.pending.revision if status.pending else status.revision or 1",
            ),
        ),
        _bug(
            "a connection goes before those who need it",
            _plan("delete"),
            (
                "reconcilers/connection/reconciler.py",
                "users(self._ports, snapshot.key):\n            await self._ports.pool",
                "users(self._ports, snapshot.key) or snapshot.uid:\n            await self._ports.pool",
            ),
        ),
        _bug(
            "the status is written at each look",
            _plan("create"),
            (
                "reconcilers/session.py",
                "if changed.to_body() == before.to_body() and self.snapshot.status:",
                "if changed.to_body() == before.to_body() and not self.snapshot.status:",
            ),
        ),
        _bug(
            "a model lets go without a look",
            _plan("delete"),
            (
                "reconcilers/model/removal.py",
                "        gone = await _remover(client).remove(model.id)\n        return None if gone",
                (
                    "        await client.delete_model(model.id)\n"
                    "        return Outcome(finalized=True) if model"
                ),
            ),
        ),
        _bug(
            "a model that is lost keeps its id",
            _plan("recreate"),
            (
                "reconcilers/model/reconciler.py",
                "            id=None,\n            owned_group_id=owned,\n",
                "            owned_group_id=owned,\n",
            ),
        ),
    )
}
