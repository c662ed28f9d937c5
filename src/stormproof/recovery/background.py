"""Calling a slow listener on a thread of its own, so that it delays no call."""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Final, Generic, TypeVar

from stormproof.errors import CapacityExceeded

E = TypeVar("E")

MOST_WAITING: Final = 10_000
"""How many events may wait for one listener."""


class BackgroundListener(Generic[E]):
    """Takes events at once, and has them heard one after the other, in order.

    Args:
        listener: What hears them; it does so on a daemon thread, in no caller's context.
        report: Told of an event and of what the listener raised for it.
    """

    def __init__(
        self,
        listener: Callable[[E], object],
        report: Callable[[E, Callable[[E], object], Exception], None],
    ) -> None:
        self._listener: Final = listener
        self._report: Final = report
        # Its put is reentrant: a finalizer may publish an event amid another.
        self._waiting: Final[SimpleQueue[E | None]] = SimpleQueue()

    def start(self) -> None:
        """Begin to hear."""
        Thread(target=self._hear, name="stormproof-listener", daemon=True).start()

    def end(self) -> None:
        """Hear what waits, and nothing after it."""
        self._waiting.put(None)

    def __call__(self, event: E) -> None:
        """Have an event heard.

        Raises:
            CapacityExceeded: Too many wait; this one is not heard.
        """
        if self._waiting.qsize() >= MOST_WAITING:
            raise CapacityExceeded(resource="events that wait for a listener", limit=MOST_WAITING)
        self._waiting.put(event)

    def __repr__(self) -> str:
        return repr(self._listener)

    def _hear(self) -> None:
        while (event := self._waiting.get()) is not None:
            try:
                self._listener(event)
            except Exception as error:  # noqa: BLE001 - the next event has to be heard too
                self._report(event, self._listener, error)
