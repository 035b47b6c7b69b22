"""Batched reads: how few requests, and how old an answer may be."""

from __future__ import annotations

import asyncio

import pytest

from opensearch_ml_operator.errors import MLCode, MLError
from opensearch_ml_operator.opensearch.observations import PAGE, SETTLE_SECONDS
from unit.opensearch.observed import MODEL, Server


@pytest.fixture
async def server() -> Server:
    return Server()


async def test_a_lone_object_is_read_by_get(server: Server) -> None:
    server.documents["a"] = 1
    assert await server.observe("a") == 1
    assert (server.searches, server.gets) == ([], ["a"])


async def test_what_is_young_enough_costs_nothing(server: Server) -> None:
    await server.remember("a")
    server.documents["a"] = 1
    server.now += 60
    assert await server.observe("a", 60) == 0
    assert server.requests == 0


async def test_what_is_too_old_is_read_again(server: Server) -> None:
    await server.remember("a")
    server.documents["a"] = 1
    server.now += 61
    assert await server.observe("a", 60) == 1


async def test_one_search_refreshes_all(server: Server) -> None:
    ids = [f"m{n}" for n in range(100)]
    await server.remember(*ids)
    server.now += 61
    for object_id in ids:
        assert await server.observe(object_id) == 0
    assert len(server.searches) == 1
    assert set(server.searches[0]) == set(ids)
    assert server.gets == []


async def test_objects_at_rest_cost_one_request_a_page(server: Server) -> None:
    ids = [f"m{n}" for n in range(2 * PAGE)]
    await server.remember(*ids)
    server.now += 61
    for object_id in ids:
        await server.observe(object_id)
    assert [len(page) for page in server.searches] == [PAGE, PAGE]
    assert server.gets == []


async def test_a_search_in_haste_leaves_out_the_young(server: Server) -> None:
    await server.remember("a", "b")
    server.now += 20
    server.documents["young"] = 0
    await server.observe("young", 0)
    await server.observe("young", 60)
    assert server.searches == []
    server.now += 20
    await server.observe("a", 0)
    assert set(server.searches[0]) == {"a", "b"}


async def test_objects_that_began_at_different_times_fall_into_step(server: Server) -> None:
    names = [str(number) for number in range(10)]
    for name in names:
        server.documents[name] = 0
        server.observations.expect(MODEL, name)
        server.observations.invalidate(MODEL, name)  # written just now: it is read by itself
        server.now += 1
        await server.observe(name, 40)
        server.now += 2
    assert (server.searches, server.gets) == ([], names)
    server.gets.clear()
    server.now += 12
    await server.observe("0", 40)
    server.now += 39
    for name in names:
        await server.observe(name, 40)
    assert [set(ids) for ids in server.searches] == [set(names)]
    assert server.gets == []


async def test_a_page_takes_those_first_whose_turn_was_longest_ago(server: Server) -> None:
    young = [f"y{number}" for number in range(PAGE)]
    await server.remember("z-old")
    server.now += 10
    await server.remember(*young, "asks")
    server.now += 61
    await server.observe("asks")
    (ids,) = server.searches
    assert len(ids) == PAGE
    assert {"asks", "z-old"} <= set(ids)


async def test_what_has_just_been_read_is_not_read_by_the_next_who_asks(server: Server) -> None:
    await server.remember("a", "b")
    server.now += 61
    await server.observe("a")
    assert [set(ids) for ids in server.searches] == [{"a", "b"}]
    for name in "cdef":
        server.now += 1
        server.documents[name] = 0
        await server.observe(name)
    assert len(server.searches) == 1
    assert server.gets == list("cdef")


async def test_who_is_forgotten_while_it_waits_is_answered_all_the_same(server: Server) -> None:
    await server.remember("a", "b", "c")
    server.now += 61
    server.open.clear()
    first = asyncio.create_task(server.observe("a"))
    await asyncio.sleep(0)
    late = asyncio.create_task(server.observe("c", 0))
    await asyncio.sleep(0)
    server.observations.forget(MODEL, "c")
    server.now += 1
    server.open.set()
    assert (await first, await late) == (0, 0)


async def test_what_is_expected_is_read_with_the_first_who_asks(server: Server) -> None:
    server.documents |= {"a": 1, "b": 2, "c": 3}
    for name in "abc":
        server.observations.expect(MODEL, name)
    assert [await server.observe(name) for name in "abc"] == [1, 2, 3]
    assert [set(ids) for ids in server.searches] == [{"a", "b", "c"}]
    assert server.gets == []


async def test_what_is_not_there_does_not_keep_others_out(server: Server) -> None:
    for number in range(2 * PAGE):
        server.observations.expect(MODEL, f"gone{number}")
    ids = [f"m{number}" for number in range(PAGE // 2)]
    await server.remember(*ids)
    for _ in range(3):
        server.searches.clear()
        server.now += 61
        for object_id in ids:
            await server.observe(object_id)
        assert len(server.searches) <= 4


async def test_who_asks_at_the_same_time_shares_the_request(server: Server) -> None:
    await server.remember("a", "b", "c")
    server.now += 61
    assert await asyncio.gather(*(server.observe(each) for each in "abcabc")) == [0] * 6
    assert server.requests == 1


async def test_who_asks_during_a_search_is_in_the_next_one(server: Server) -> None:
    await server.remember("a", "b")
    server.documents |= {"c": 7, "d": 8}
    server.now += 61
    server.open.clear()
    first = asyncio.create_task(server.observe("a"))
    await asyncio.sleep(0)
    others = [asyncio.create_task(server.observe(each)) for each in "cd"]
    await asyncio.sleep(0)
    server.now += 0.1
    server.open.set()
    assert await asyncio.gather(first, *others) == [0, 7, 8]
    assert len(server.searches) == 2
    assert {"c", "d"} <= set(server.searches[1])


async def test_a_search_that_began_too_early_does_not_count(server: Server) -> None:
    await server.remember("a", "b")
    server.now += 61
    server.open.clear()
    early = asyncio.create_task(server.observe("a"))
    await asyncio.sleep(0)
    server.documents["a"] = 1
    server.now += 1
    late = asyncio.create_task(server.observe("a", 0))
    await asyncio.sleep(0)
    server.open.set()
    assert (await early, await late) == (0, 1)


async def test_a_missing_object_is_confirmed_by_get(server: Server) -> None:
    await server.remember("a", "b", "hidden")
    del server.documents["a"]
    server.unsearchable.add("hidden")
    server.now += 61
    assert await server.observe("a") is None
    assert await server.observe("hidden") == 0
    assert (len(server.searches), server.gets) == (1, ["a", "hidden"])


async def test_what_a_shared_search_lacks_is_not_searched_for_again(server: Server) -> None:
    await server.remember("a", "b", "c")
    server.unsearchable |= {"b", "c"}
    server.now += 61
    assert await asyncio.gather(*map(server.observe, "abc")) == [0, 0, 0]
    assert (len(server.searches), sorted(server.gets)) == (1, ["b", "c"])


async def test_what_is_gone_is_read_no_more(server: Server) -> None:
    await server.remember("a", "b", "gone")
    del server.documents["gone"]
    server.now += 1
    assert await server.observe("gone", 0) is None
    server.searches.clear()
    server.now += 61
    await server.observe("a")
    assert [set(ids) for ids in server.searches] == [{"a", "b"}]


async def test_absence_is_never_remembered(server: Server) -> None:
    assert await server.observe("a") is None
    server.documents["a"] = 1
    assert await server.observe("a") == 1


async def test_an_own_write_is_read_back_by_get(server: Server) -> None:
    await server.remember("a", "b")
    server.documents["a"] = 1
    server.observations.invalidate(MODEL, "a")
    server.now += SETTLE_SECONDS
    assert await server.observe("a") == 1
    assert (server.searches, server.gets) == ([], ["a"])


async def test_a_fresh_write_is_left_out_of_searches(server: Server) -> None:
    await server.remember("a", "b", "c")
    server.now += 61
    server.observations.invalidate(MODEL, "a")
    await server.observe("b")
    assert set(server.searches[0]) == {"b", "c"}
    server.now += SETTLE_SECONDS + 61
    await server.observe("b")
    assert set(server.searches[1]) == {"a", "b", "c"}


async def test_a_search_overtaken_by_a_write_is_not_believed(server: Server) -> None:
    await server.remember("a", "b")
    server.now += 61
    server.open.clear()
    asking = asyncio.create_task(server.observe("a"))
    await asyncio.sleep(0)
    server.documents["a"] = 1
    server.observations.invalidate(MODEL, "a")
    server.open.set()
    assert await asking == 1
    assert server.gets == ["a"]


async def test_who_waits_for_a_search_that_fails_gets_its_error(server: Server) -> None:
    await server.remember("a", "b")
    server.now += 61
    server.failure = MLError(MLCode.AMBIGUOUS, "no answer")
    results = await asyncio.gather(*(server.observe(each) for each in "abab"), return_exceptions=True)
    assert [type(result) for result in results] == [MLError] * 4
    assert server.requests == 1
    server.failure = None
    server.now += 1
    assert await server.observe("b") == 0


async def test_a_cancelled_asker_does_not_fail_the_others(server: Server) -> None:
    await server.remember("a", "b")
    server.now += 61
    server.open.clear()
    first = asyncio.create_task(server.observe("a"))
    await asyncio.sleep(0)
    second = asyncio.create_task(server.observe("b"))
    await asyncio.sleep(0)
    first.cancel()
    server.open.set()
    assert await second == 0
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_the_forgotten_are_read_no_more(server: Server) -> None:
    await server.remember("a", "b", "c")
    server.observations.forget(MODEL, "b")
    server.now += 61
    await server.observe("a")
    assert set(server.searches[0]) == {"a", "c"}


async def test_strangers_can_be_forgotten_and_invalidated(server: Server) -> None:
    server.observations.forget(MODEL, "a")
    server.observations.invalidate(MODEL, "a")
    assert server.requests == 0


async def test_new_objects_are_read_together_before_anybody_has_asked_for_them() -> None:
    server = Server()
    for number in range(20):
        server.documents[f"m{number}"] = number
        server.observations.expect(MODEL, f"m{number}")
    assert [await server.observe(f"m{number}") for number in range(20)] == list(range(20))
    assert len(server.searches) == 1
    assert server.gets == []
