"""Many sets that come, change and go, while the operator is killed at random moments, again and again.

What is random comes from a seed: what each set goes through, and after which call or which time the operator
is killed. A kill hits before the call, behind it, or lets it arrive later. A run of the same seed without
kills says how each set must end.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from . import endstate, oracles
from .history import History, is_count
from .plan import KILLS, Fault
from .script import Script
from .users import Doc, Users, is_ready

CALLS: Final = 25.0
"""Calls with an effect between two kills, on average."""
TIMED: Final = 0.3
"""The share of the kills that come at a time instead."""
PATIENCE: Final = 1200.0
"""Seconds from the last kill for everything to come to rest."""
_LOOK: Final = 0.5
_SLOW_LOOK: Final = 3.0
_SHOWN: Final = ("seed", "sets", "kills", "effects", "converged", "problems")
_STAY: Final = 0.6
"""The share of the sets that are there at the end."""
_CHANGES: Final = (Users.edit, Users.rotate)


class Ground(Protocol):
    """The operator between its proxies, on fakes or on real servers."""

    history: History

    def kill(self, victim: int, /) -> None:
        """Let it be dead from now on."""

    async def tend(self) -> None:
        """Bury it, and start a successor."""


@dataclass(slots=True)
class Outcome:
    """What has become of a storm; no `problems` is a pass."""

    seed: int
    sets: int
    kills: int = 0
    effects: int = 0
    """Calls with an effect."""
    converged: float = 0.0
    """Seconds from the last kill, or the last action, to rest."""
    problems: list[str] = field(default_factory=list)
    ends: list[Doc] = field(default_factory=list)
    """How each set has ended."""

    def shown(self) -> dict[str, Any]:
        """Return the numbers, and what was wrong."""
        return {each: getattr(self, each) for each in _SHOWN}

    def compare(self, reference: Outcome) -> None:
        """Add as problems what ends otherwise than without kills."""
        for number, (end, wanted) in enumerate(zip(self.ends, reference.ends, strict=True)):
            if end != wanted:
                self.problems.append(f"Q4: set {number} ends as {end}, without kills as {wanted}")


@dataclass(slots=True)
class Strikes(Script):
    """Kills at random calls, until as many have been killed as were asked for."""

    chance: random.Random = field(default_factory=random.Random)
    left: int = 0
    _calls: int = 0

    def begin(self, kills: int, seed: int) -> None:
        """Begin to kill."""
        self.left, self.chance = kills, random.Random(seed)  # noqa: S311 - a seed makes a storm come again
        self._draw()

    def take(self, label: str) -> Fault | None:
        """Return a kill when its call has come."""
        self._calls -= 1
        if self._calls > 0:
            return None
        self._draw()
        return self.strike(label)

    def strike(self, label: str) -> Fault | None:
        """Return a kill, if there is one left."""
        if self.left <= 0:
            return None
        self.left -= 1
        self.fired.append(Fault(label, self.chance.choice(KILLS)))
        return self.fired[-1]

    def _draw(self) -> None:
        self._calls = 1 + int(self.chance.expovariate(1 / CALLS))


async def rage(
    ground: Ground,
    strikes: Strikes,
    sets: Sequence[Users],
    *,
    seed: int,
    kills: int,
    span: float,
    calm: float,
) -> Outcome:
    """Let all sets live for about `span` seconds while the operator, which runs already, is killed.

    `calm` are the seconds at rest in which nothing may have an effect.
    """
    clock, outcome = ground.history.clock, Outcome(seed, len(sets))
    for users in sets:
        await users.plant()
    strikes.begin(kills, seed)
    chances = (random.Random(f"{seed} {number}") for number in range(len(sets)))  # noqa: S311 - as above
    living = asyncio.gather(
        *(_live(users, chance, span) for users, chance in zip(sets, chances, strict=True))
    )
    timer = asyncio.create_task(_strike_in_time(ground, strikes, TIMED * kills / span))
    while not living.done() or strikes.left:
        await ground.tend()
        await asyncio.sleep(_LOOK)
    await timer
    stays, began = await living, clock()
    outcome.problems += await _reach(ground, strikes, sets, stays)
    outcome.converged, outcome.kills = clock() - began, len(strikes.fired)
    await asyncio.sleep(calm)  # what a request has changed that outlived its sender is put back by then
    at_rest, since = len(ground.history.sent), clock()
    await asyncio.sleep(calm)
    late = (entry for entry in ground.history.effects(at_rest) if entry.applied)
    outcome.problems += [f"Q5: at rest, {entry.label}" for entry in late if not is_count(entry, since)]
    await _judge(outcome, sets)
    for users in sets:
        await users.delete_everything()
    outcome.problems += await _reach(ground, strikes, sets, [False] * len(sets))
    for users in sets:
        outcome.problems += [f"{users.namespace}: {each}" for each in await endstate.wrong(users)]
        await users.uproot()
    outcome.problems += oracles.breaches(ground.history)
    outcome.effects = sum(1 for _ in ground.history.effects())
    return outcome


async def _live(users: Users, chance: random.Random, span: float) -> bool:
    """Create a set, change it, perhaps delete it, each at a random time; return whether it stays."""
    await asyncio.sleep(chance.uniform(0, span * 0.5))
    await users.create_everything()
    for change in chance.sample(_CHANGES, chance.randint(0, len(_CHANGES))):
        await asyncio.sleep(chance.uniform(0, span * 0.2))
        await change(users)
    await asyncio.sleep(chance.uniform(0, span * 0.2))
    stays = chance.random() < _STAY
    if not stays:
        await users.delete_everything()
    return stays


async def _strike_in_time(ground: Ground, strikes: Strikes, rate: float) -> None:
    """Kill at random moments too, whatever is under way then."""
    while strikes.left:
        await asyncio.sleep(strikes.chance.expovariate(rate))
        if strikes.strike("at a time"):
            ground.kill(0)


async def _reach(ground: Ground, strikes: Strikes, sets: Sequence[Users], stays: Sequence[bool]) -> list[str]:
    """Wait until each set is Ready or gone, as it is to be; say what is missing if it is not."""
    clock = ground.history.clock
    deadline = clock() + PATIENCE
    missing = list(zip(sets, stays, strict=True))
    while missing and clock() < deadline:
        await ground.tend()
        if not strikes.zombies:
            missing = [each for each in missing if not await _is_there(*each)]
        await asyncio.sleep(_SLOW_LOOK)
    return [f"{users.namespace} is not {'ready' if there else 'gone'}" for users, there in missing]


async def _is_there(users: Users, there: bool) -> bool:  # noqa: FBT001 - one of the pairs above
    objects = await users.everything()
    return bool(objects) and all(map(is_ready, objects.values())) if there else not objects


async def _judge(outcome: Outcome, sets: Sequence[Users]) -> None:
    for users in sets:
        outcome.problems += [f"{users.namespace}: {each}" for each in await endstate.wrong(users)]
        outcome.ends.append(await endstate.normalised(users))
