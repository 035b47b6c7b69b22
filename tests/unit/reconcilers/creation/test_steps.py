"""The create protocol carried out: what is written, sent, searched for and remembered, and in which order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from opensearch_ml_operator.errors import KubernetesUnavailableError, MLCode, MLError, StatusConflictError
from opensearch_ml_operator.models.common import ManagedStatus, Pending
from opensearch_ml_operator.reconcilers.creation.protocol import Role, marker
from opensearch_ml_operator.reconcilers.creation.steps import Created, Creation
from opensearch_ml_operator.reconcilers.outcome import Outcome
from opensearch_ml_operator.reconcilers.refusal import STALLED_INTERVAL
from opensearch_ml_operator.reconcilers.session import Session
from support.memory_opensearch import MemoryOpenSearch
from support.memory_ports import Stage

QUIET = 120.0
TOKEN = marker("uid-MLModelGroup-one", Role.GROUP, 1)
BODY = {"name": "one", "description": TOKEN}


class Process:
    """One operator process that wants one group."""

    def __init__(self, stage: Stage, cluster: MemoryOpenSearch, holder: str = "pod-1") -> None:
        self.creation = Creation()
        self._stage, self._cluster, self._ports = stage, cluster, stage.ports(holder)

    def session(self) -> Session[ManagedStatus]:
        (snapshot,) = (each for key, each in self._stage.store.objects.items() if key.kind == "MLModelGroup")
        return Session(self._ports, snapshot, ManagedStatus)

    async def run(
        self,
        session: Session[ManagedStatus] | None = None,
        post: Callable[[], Awaitable[str]] | None = None,
        **changes: Any,
    ) -> Created | Outcome:
        return await self.creation.run(
            session or self.session(),
            self._cluster,
            role=Role.GROUP,
            revision=1,
            hash_="cafe",
            post=post or (lambda: self._cluster.create_group(BODY)),
            **changes,
        )

    async def settle(self) -> Created | Outcome | None:
        return await self.creation.settle(self.session(), self._cluster, role=Role.GROUP, revision=1)


@pytest.fixture
def stage() -> Stage:
    stage = Stage(quiet_period=QUIET)
    stage.add("MLModelGroup", "one")
    return stage


@pytest.fixture
def process(stage: Stage, cluster: MemoryOpenSearch) -> Process:
    return Process(stage, cluster)


async def until_over(stage: Stage, run: Callable[[], Awaitable[Created | Outcome | None]]) -> float:
    """Run whenever the outcome says so, until it says something else; return the seconds it took."""
    begun = stage.clock.seconds
    while isinstance(outcome := await run(), Outcome):
        assert outcome.requeue_after is not None
        assert stage.clock.seconds - begun < 1000
        stage.clock.seconds += outcome.requeue_after
    return stage.clock.seconds - begun


async def test_the_intent_stands_when_the_create_is_sent(process: Process, stage: Stage) -> None:
    seen = []

    async def post() -> str:
        seen.append(process.session().status.pending)
        return "g1"

    assert await process.run(post=post) == Created("g1")
    assert [(pending and pending.role, pending and pending.holder) for pending in seen] == [
        ("Group", "pod-1")
    ]
    assert len(stage.store.writes) == 1


async def test_what_belongs_to_the_intent_is_written_with_it(process: Process, stage: Stage) -> None:
    await process.run(with_intent={"id": "g0"})

    assert stage.store.writes[0]["id"] == "g0"


async def test_nothing_is_sent_when_the_intent_was_not_stored(
    process: Process, stage: Stage, cluster: MemoryOpenSearch
) -> None:
    session = process.session()
    stage.store.change(session.snapshot.key, annotations={"a": "b"})

    with pytest.raises(StatusConflictError):
        await process.run(session)

    assert cluster.calls == []


async def test_who_stood_still_after_the_intent_finds_out_first_what_others_did(
    process: Process, stage: Stage, cluster: MemoryOpenSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen, write = process.session(), stage.store.write

    async def slowly(*what: Any) -> Any:
        """Store the intent; the process hears of it when its successor has done everything."""
        written = await write(*what)
        stage.clock.seconds += QUIET * 2
        cluster.put("group", BODY)
        return written

    monkeypatch.setattr(stage.store, "write", slowly)
    await process.run(frozen)

    assert cluster.count("create_group") == 0
    assert len(cluster.docs["group"]) == 1


async def test_an_intent_whose_write_got_no_answer_is_sent_by_who_wrote_it(
    process: Process, stage: Stage, cluster: MemoryOpenSearch
) -> None:
    stage.store.failures.append((KubernetesUnavailableError("away"), True))
    with pytest.raises(KubernetesUnavailableError):
        await process.run()

    assert await process.run() == Created("group1")
    assert cluster.calls == ["create_group"]


@pytest.mark.parametrize(
    "code", [code for code in MLCode if not code.effect_unknown], ids=lambda code: code.value
)
async def test_a_clear_refusal_ends_the_intent_and_is_tried_again(
    process: Process, cluster: MemoryOpenSearch, code: MLCode
) -> None:
    cluster.fail("create_group", code, error={"retry_after": 7.0})

    outcome = await process.run()
    assert isinstance(outcome, Outcome)
    assert outcome.requeue_after in {7.0, STALLED_INTERVAL}
    assert process.session().status.pending is None
    assert await process.run() == Created("group1")
    # Only a name that is taken may have been taken by us.
    assert cluster.calls.count("search_group") == (1 if code is MLCode.NAME_TAKEN else 0)


@pytest.mark.parametrize("carried_out", [True, False], ids=["carried-out", "lost"])
async def test_a_create_without_a_clear_answer_ends_in_one_object(
    process: Process, stage: Stage, cluster: MemoryOpenSearch, *, carried_out: bool
) -> None:
    cluster.fail("create_group", MLCode.AMBIGUOUS, carried_out=carried_out)

    took = await until_over(stage, process.run)

    assert len(cluster.docs["group"]) == 1
    assert took == pytest.approx(0.0 if carried_out else QUIET + 2)


async def test_what_is_found_tells_which_request_has_made_it(
    process: Process, cluster: MemoryOpenSearch
) -> None:
    cluster.fail("create_group", MLCode.AMBIGUOUS, carried_out=True)

    assert await process.run() == Created("group1", found=True, hash="cafe")


async def test_the_quiet_period_begins_when_the_wait_for_the_answer_ends(
    process: Process, stage: Stage, cluster: MemoryOpenSearch
) -> None:
    cluster.fail("create_group", MLCode.AMBIGUOUS, takes=50.0)

    took = await until_over(stage, process.run)

    assert took == pytest.approx(50.0 + QUIET + 2)


async def test_waiting_for_an_unresolved_create_costs_one_write(
    process: Process, stage: Stage, cluster: MemoryOpenSearch
) -> None:
    cluster.fail("create_group", MLCode.AMBIGUOUS)
    outcome = await process.run()
    writes = len(stage.store.writes)

    for _ in range(4):
        assert isinstance(outcome, Outcome)
        stage.clock.seconds += outcome.requeue_after or 0
        outcome = await process.run()

    assert len(stage.store.writes) == writes
    assert stage.store.writes[-1]["conditions"][-1]["type"] == "Reconciling"


async def test_the_intent_of_another_process_has_a_quiet_period_of_its_own(
    process: Process, stage: Stage, cluster: MemoryOpenSearch
) -> None:
    """What this process remembers of its own intent must not shorten the wait for the other's."""
    cluster.fail("create_group", MLCode.AMBIGUOUS)
    assert isinstance(await process.run(), Outcome)
    stage.clock.seconds += 100
    theirs = Pending(
        role="Group", revision=1, attempt=2, hash="cafe", holder="pod-2", started_at="2026-01-01T00:01:40Z"
    )
    session = process.session()
    await session.record(pending=theirs)

    took = await until_over(stage, process.run)

    assert took == pytest.approx(QUIET + 2)


async def test_only_one_of_two_processes_sends(stage: Stage, cluster: MemoryOpenSearch) -> None:
    one, two = Process(stage, cluster, "pod-1"), Process(stage, cluster, "pod-2")
    seen_by_two = two.session()
    cluster.fail("create_group", MLCode.AMBIGUOUS, carried_out=True)
    assert await one.run() == Created("group1", found=True, hash="cafe")

    with pytest.raises(StatusConflictError):
        await two.run(seen_by_two)
    assert await two.run() == Created("group1", found=True, hash="cafe")
    assert cluster.count("create_group") == 1


@pytest.mark.parametrize("settling", [False, True], ids=["creating", "settling"])
async def test_later_copies_are_removed_while_the_intent_still_stands(
    process: Process, cluster: MemoryOpenSearch, *, settling: bool
) -> None:
    cluster.fail("create_group", MLCode.AMBIGUOUS, carried_out=True)
    cluster.fail("search_group", MLCode.AMBIGUOUS)
    with pytest.raises(Exception, match="search_group failed"):
        await process.run()
    cluster.put("group", BODY)
    cluster.put("group", {"name": "a stranger's", "description": "of no concern"})

    found = await (process.settle() if settling else process.run())

    assert isinstance(found, Created)
    assert found.id == "group1"
    assert sorted(cluster.docs["group"]) == ["group1", "group3"]
    assert process.session().status.pending is not None


async def test_settling_creates_nothing_and_waits_as_long(
    process: Process, stage: Stage, cluster: MemoryOpenSearch
) -> None:
    cluster.fail("create_group", MLCode.AMBIGUOUS)
    await process.run()

    took = await until_over(stage, process.settle)

    assert took == pytest.approx(QUIET + 2)
    assert cluster.count("create_group") == 1
    assert cluster.docs["group"] == {}


async def test_an_intent_that_was_never_sent_is_settled_at_once(
    process: Process, stage: Stage, cluster: MemoryOpenSearch
) -> None:
    stage.store.failures.append((KubernetesUnavailableError("away"), True))
    with pytest.raises(KubernetesUnavailableError):
        await process.run()

    assert await process.settle() is None
    assert cluster.calls == []


async def test_an_intent_to_deploy_gives_way_to_a_create(process: Process) -> None:
    session = process.session()
    await process.creation.intend_role(session, Role.DEPLOY)

    assert await process.run() == Created("group1")
    pending = process.session().status.pending
    assert pending is not None
    assert pending.role == "Group"


@pytest.mark.parametrize(("role", "revision"), [("Model", 1), ("Connector", 1), ("Group", 2)], ids=str)
async def test_a_create_is_never_announced_over_another_one(
    process: Process, cluster: MemoryOpenSearch, role: Any, revision: int
) -> None:
    other = Pending(
        role=role, revision=revision, attempt=1, holder="pod-2", started_at="2026-01-01T00:00:00Z"
    )
    await process.session().record(pending=other)

    with pytest.raises(ValueError, match="stands"):
        await process.run()

    assert process.session().status.pending == other
    assert cluster.calls == []


async def test_attempts_at_an_effect_that_is_no_create_are_counted(process: Process) -> None:
    attempts = []
    for _ in range(3):
        session = process.session()
        await process.creation.intend_role(session, Role.DEPLOY)
        attempts.append(session.status.pending and session.status.pending.attempt)

    assert attempts == [1, 2, 3]


async def test_a_name_that_the_first_delivery_of_the_same_create_has_taken(
    process: Process, cluster: MemoryOpenSearch
) -> None:
    async def post() -> str:
        await cluster.create_group(BODY)
        raise MLError(MLCode.NAME_TAKEN, "the name is used")

    created = await process.run(post=post)

    assert isinstance(created, Created)
    assert created.found
    assert cluster.count("create_group") == 1


async def test_a_name_that_somebody_else_has_taken_is_a_refusal(process: Process) -> None:
    async def post() -> str:
        raise MLError(MLCode.NAME_TAKEN, "the name is used")

    assert isinstance(await process.run(post=post), Outcome)
    assert process.session().status.pending is None
