"""What people do while the calls are spoiled: a few actions each, from a state to a state."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from . import acts
from .users import Users

Act = Callable[[Users], Awaitable[None]]
Goal = Literal["ready", "gone", "swept"]
"""All Ready; no object left; all Ready, and what was named as an orphan is gone."""


@dataclass(frozen=True, slots=True)
class Workload:
    """`acts` are done one after the other, each from rest; the faults begin with the last one."""

    name: str
    acts: tuple[Act, ...]
    goal: Goal = "ready"
    operators: int = 1
    """How many work at the same time, without any election between them."""
    pairs: bool = False
    """Whether it is also crashed a second time, while it recovers."""
    alone: bool = False
    """Whether it takes hours, or something that a cluster has but once: not on real servers beside others."""

    @property
    def live(self) -> bool:
        """Whether it can run on the real servers, where one operator works for all."""
        return not self.alone and self.operators == 1


async def _delete_settings(users: Users) -> None:
    await users.delete("mlclustersettings", "settings")


_CREATE: Final[Act] = Users.create_everything
_DELETE: Final[Act] = Users.delete_everything
WORKLOADS: Final[Mapping[str, Workload]] = {
    each.name: each
    for each in (
        Workload("create", (_CREATE,), pairs=True),
        Workload("edit", (_CREATE, Users.edit)),
        Workload("swap", (_CREATE, Users.rotate), pairs=True),
        Workload("redeploy", (_CREATE, Users.prefer_redeploy, Users.rotate)),
        Workload("heal", (_CREATE, Users.undeploy)),
        Workload("recreate", (_CREATE, Users.destroy_model)),
        Workload("delete", (_CREATE, _DELETE), goal="gone", pairs=True),
        Workload("doomed", (Users.doom,), goal="gone"),
        Workload("settings", (_CREATE, Users.add_settings), alone=True),
        Workload("settings-back", (_CREATE, Users.add_settings, _delete_settings), alone=True),
        Workload("adopt", (acts.leave_two_sets, acts.adopt), pairs=True),
        Workload("release", (acts.leave_two_sets, acts.adopt, _DELETE), goal="gone"),
        Workload("export", (_CREATE, acts.export)),
        Workload("export-move", (_CREATE, acts.export, acts.export_elsewhere)),
        Workload("internal", (acts.create_with_connector_inside,), pairs=True),
        Workload("internal-edit", (acts.create_with_connector_inside, acts.edit_connector_inside)),
        Workload("retain", (_CREATE, acts.retain, acts.delete_retained)),
        Workload(
            "orphans", (acts.create_for_long, acts.plant_orphans, acts.name_orphans), goal="swept", alone=True
        ),
        Workload("probe", (_CREATE, acts.probe)),
        Workload("trial", (_CREATE, acts.probe, Users.rotate), pairs=True),
        Workload("two-create", (_CREATE,), operators=2),
        Workload("two-edit", (_CREATE, Users.edit), operators=2),
        Workload("two-heal", (_CREATE, Users.undeploy), operators=2),
        Workload("two-adopt", (acts.leave_two_sets, acts.adopt), operators=2),
        Workload("two-swap", (_CREATE, Users.rotate), operators=2),
        Workload("two-delete", (_CREATE, _DELETE), goal="gone", operators=2),
    )
}
