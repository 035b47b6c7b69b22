"""The operator as a guest of the bench's event loop: no thread, so that nothing waits for a scheduler."""

from __future__ import annotations

from typing import Any

from support.operator_in_process import OperatorInProcess

from .skipping_time import Guest, SkippingClock


class OperatorAsGuest(OperatorInProcess):
    """One operator at a time, driven by the loop of the bench. A real clock would not do."""

    def __init__(self, kubeconfig: Any, clock: SkippingClock, **settings: Any) -> None:
        super().__init__(kubeconfig, clock, **settings)
        self._host = clock
        self._guest: Guest | None = None

    @property
    def running(self) -> bool:
        """Whether the operator lives."""
        return self._guest is not None and not self._guest.done

    def _begin(self) -> None:
        self._guest = self._host.invite(self._to_its_end())
        self._loop = self._guest.loop

    async def _to_its_end(self) -> None:
        with self._told():
            await self._run()
