"""Work that is done again and again beside requests, on a thread of its own."""

from collections.abc import Callable
from threading import Event, Thread
from typing import Final

from stormproof.recovery import publish
from stormproof.reflex.events import StoreFailed, StoreRecovered


class Repeating:
    """Does something in turns until it is closed; a turn that fails is told once, and tried again.

    Args:
        work: One turn.
        name: What events call it.
        period: Seconds between two turns.
    """

    def __init__(self, work: Callable[[], None], *, name: str, period: float) -> None:
        self._work = work
        self._name = name
        self._period = period
        self._failing = False
        self._end: Final = Event()
        self._thread = Thread(target=self._run, name=f"stormproof-{name}", daemon=True)

    def start(self) -> None:
        """Begin; to be called once."""
        self._thread.start()

    def turn(self) -> None:
        """Do it once."""
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - the next turn may succeed
            if not self._failing:
                publish(StoreFailed(pipeline=self._name, strategy="database", error=error))
            self._failing = True
        else:
            if self._failing:
                publish(StoreRecovered(pipeline=self._name, strategy="database"))
            self._failing = False

    def close(self) -> None:
        """End after the turn that is under way, if there is one."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(self._period):
            self.turn()
