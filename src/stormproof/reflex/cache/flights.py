"""Requests under way: who asks the same meanwhile waits for the answer, and does not ask again.

Who waits gets the answer whole. Pieces would come sooner; but what broke off could then be taken
up by nobody who has none of it, and every listener would have to be as fast as the slowest.
"""

from asyncio import Future, get_running_loop
from functools import partial
from typing import TypeAlias

from msgspec import Struct

from stormproof.providers import Completion
from stormproof.recovery.clock import current_clock

_Landing: TypeAlias = "Completion | Flight | None"


class Flight(Struct, eq=False):
    """A request under way, and those that wait for its answer."""

    _flights: "dict[bytes, Flight]"
    _key: bytes
    _waiting: "dict[Future[_Landing], None]" = {}  # in their order

    def land(self, answer: Completion | None) -> None:
        """End it.

        Args:
            answer: For those who wait; None if there is none that they may have: each then asks
                for himself.
        """
        del self._flights[self._key]
        for waiting in self._waiting:
            _tell(waiting, answer)

    def hand_over(self) -> None:
        """Have the first of those who wait ask, and the others wait for him."""
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(self)
                return
        del self._flights[self._key]

    async def follow(self, patience: float) -> _Landing:
        """Wait for the answer.

        Args:
            patience: Seconds to wait at most.

        Returns:
            The answer; the flight if who waited is to ask now, and tell the others; None if he is
            to ask for himself.
        """
        loop = get_running_loop()
        waiting: Future[_Landing] = loop.create_future()
        self._waiting[waiting] = None
        timer = current_clock().call_later(loop, patience, partial(_tell, waiting, None))
        try:
            return await waiting
        except BaseException:
            if waiting.done() and not waiting.cancelled() and waiting.result() is self:
                self._waiting.pop(waiting)
                self.hand_over()
            raise
        finally:
            self._waiting.pop(waiting, None)
            timer.cancel()


class Flights:
    """All requests under way in this event loop.

    Args:
        patience: Seconds that a request waits for another at most.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._flights: dict[bytes, Flight] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def begin(self, key: bytes) -> Flight | None:
        """Return a new flight; None if one is under way, which is to be joined."""
        if key in self._flights:
            return None
        flight = self._flights[key] = Flight(self._flights, key)
        return flight

    async def join(self, key: bytes) -> _Landing:
        """Wait for the answer to the same request, which is under way; see `Flight.follow`."""
        return await self._flights[key].follow(self._patience)


def _tell(waiting: "Future[_Landing]", landing: Completion | None) -> None:
    if not waiting.done():
        waiting.set_result(landing)
