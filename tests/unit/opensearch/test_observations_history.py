"""Batched reads after any history: nobody is left out for ever."""

from __future__ import annotations

import asyncio
import contextlib

from hypothesis import given
from hypothesis import strategies as st

from opensearch_ml_operator.errors import MLCode, MLError
from unit.opensearch.observed import MODEL, Server

NAMES = "abcdef"
acts = st.lists(
    st.tuples(
        st.sampled_from(("expect", "observe", "hurry", "invalidate", "forget", "delete", "fail", "wait")),
        st.sampled_from(NAMES),
        st.sampled_from((1.0, 10.0, 40.0)),
    ),
    max_size=25,
)


@given(acts)
def test_whatever_has_happened_nobody_is_left_out_for_ever(history: list[tuple[str, str, float]]) -> None:
    async def check() -> None:
        server = Server()
        server.documents = dict.fromkeys(NAMES, 0)
        expected: set[str] = set()
        for act, name, seconds in history:
            await _act(server, expected, act, name, seconds)
        server.failure = None
        server.now += 1000
        server.searches.clear()
        await server.observe("one more")
        found = {id_ for ids in server.searches for id_ in ids}
        assert found - {"one more"} == expected
        assert all(len(ids) == len(set(ids)) for ids in server.searches)

    asyncio.run(check())


async def _act(server: Server, expected: set[str], act: str, name: str, seconds: float) -> None:
    match act:
        case "expect":
            server.observations.expect(MODEL, name)
            expected.add(name)
        case "observe" | "hurry":
            expected.add(name)
            with contextlib.suppress(MLError):
                if await server.observe(name, 0 if act == "hurry" else 4 * seconds) is None:
                    expected.discard(name)
        case "invalidate":
            server.observations.invalidate(MODEL, name)
        case "forget":
            server.observations.forget(MODEL, name)
            expected.discard(name)
        case "delete":
            server.documents.pop(name, None)
        case "fail":
            server.failure = MLError(MLCode.AMBIGUOUS, "away") if server.failure is None else None
        case _:
            server.now += seconds
