"""The switch for failures on purpose: off unless asked.

It holds for the whole process, since what is to be shaken runs in threads and tasks that began
long before. While it is off, asking it costs one look at an empty tuple.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stormproof.recovery.faults.inject import Inject


class Switch:
    """Knows which injections are on; safe between threads."""

    def __init__(self) -> None:
        self._lock: Final = RLock()  # reentrant: a finalizer may run at any point of this thread
        self.periods: tuple[_Period, ...] = ()

    @contextmanager
    def chaos(self, *names: str) -> Iterator[None]:
        """Have each ``Inject`` of these names do what it says inside the ``with`` block.

        Every schedule begins anew with the block, so that a block has the same faults each time.
        Blocks may overlap; for an injection that is in several the last to begin counts.

        Args:
            names: Which ones; all there are if none is named.
        """
        period = _Period(names)
        with self._lock:
            self.periods += (period,)
        try:
            yield
        finally:
            with self._lock:
                self.periods = tuple(one for one in self.periods if one is not period)

    def strikes(self, inject: "Inject") -> bool:
        """Whether this call of ``inject`` is to be struck."""
        for period in reversed(self.periods):
            if period.includes(inject.name):
                return period.strikes(inject)
        return False


class _Period:
    """From switching on to switching off."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names: Final = frozenset(names)
        self._schedules: Final[dict[Inject, Callable[[], bool]]] = {}

    def includes(self, name: str) -> bool:
        return not self._names or name in self._names

    def strikes(self, inject: "Inject") -> bool:
        schedule = self._schedules.get(inject)
        if schedule is None:  # two threads may come here at once: the first one's counts
            schedule = self._schedules.setdefault(inject, inject.schedule())
        return schedule()


switch: Final = Switch()
chaos: Final = switch.chaos
