"""Lets calls in as an allowance has it, in the order they came.

Whoever waits stands in one line, whatever it costs: a small call does not slip in before a big
one. The first in line keeps the time and is let in when its cost is there. So whatever changes
meanwhile changes the wait as well: what a call gives back, what it turns out to have cost, and
what the other side says.
"""

from collections import OrderedDict
from threading import RLock
from typing import Final

from stormproof.recovery.clock import current_clock
from stormproof.recovery.limits.bells import Bell
from stormproof.recovery.limits.bucket import Allowance

_ROUNDING: Final = 1e-6


class Place:
    """A call's place in the line.

    Args:
        cost: What the call takes.
        longest: Seconds that it may wait.

    Attributes:
        admitted: Whether the call was let in.
        due: When it will be let in, as far as could be foreseen when it came.
        bell: What wakes it.
    """

    __slots__ = ("admitted", "bell", "cost", "due", "longest", "until")

    def __init__(self, cost: float, longest: float) -> None:
        self.cost: Final = cost
        self.longest: Final = longest
        self.until: Final = current_clock().now() + longest
        self.admitted = False
        self.due = 0.0
        self.bell: Bell | None = None

    def wake(self) -> bool:
        """Have it look at the line again; return whether somebody can still be there."""
        try:
            if self.bell is not None:
                self.bell.ring()
        except RuntimeError:
            return False
        return True


class Turnstile:
    """A line of calls in front of an allowance; safe between threads and event loops.

    Args:
        allowance: What the calls take. It is asked under the lock of the line.
    """

    def __init__(self, allowance: Allowance) -> None:
        self._allowance: Final = allowance
        self._take: Final = allowance.take
        # Reentrant, because the garbage collector may close a pending coroutine, and so give
        # its place back, at any point of this thread.
        self._lock: Final = RLock()
        self._line: OrderedDict[Place, None] = OrderedDict()
        self._line_cost = 0.0
        self._timekeeper: Place | None = None
        self._serving = self._asked = False

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return len(self._line)

    def enter(self, cost: float) -> bool:
        """Let a call in that need not wait, as it must while others do."""
        with self._lock:
            return not self._line and not self._take(cost, current_clock().now())

    def foresee(self, cost: float) -> float:
        """Return the seconds until a call that came now would be let in, as things stand."""
        with self._lock:
            total = self._line_cost + cost
            return self._allowance.wait_for(total, current_clock().now(), len(self._line) + 1)

    def join(self, place: Place) -> float:
        """Let ``place`` stand in line.

        Returns:
            The seconds until it will be let in, as things stand. If they are more than it may
            wait, it does not stand in line.
        """
        with self._lock:
            wait = self.foresee(place.cost)
            if wait <= place.longest:
                place.due = current_clock().now() + wait
                self._line[place] = None
                self._line_cost += place.cost
            return wait

    def look(self, place: Place, bell: Bell) -> float:
        """Return the seconds after which ``place`` has to look again; 0 if its wait is over.

        Then it was let in, or its time does not suffice and it stands in line no longer.

        Args:
            place: Who looks.
            bell: What wakes it sooner, if there is a reason.
        """
        with self._lock:
            now = current_clock().now()
            self._serve(now)
            if place not in self._line:
                return 0.0
            place.bell = bell
            left = place.until - now
            wait = self._next_look(place, now)
            if wait <= left + _ROUNDING:
                return max(wait, _ROUNDING)
            self._remove(place)
            self._serve(now)
            return 0.0

    def leave(self, place: Place) -> None:
        """Let ``place`` stand in line no longer, and take back what it was given."""
        with self._lock:
            now = current_clock().now()
            if place.admitted:
                self._allowance.give_back(place.cost, now)
            self._remove(place)
            self._reconsider(now)

    def charge(self, extra: float) -> None:
        """Correct the cost of a call that was let in; less than 0 is given back."""
        with self._lock:
            now = current_clock().now()
            self._allowance.charge(extra, now)
            self._reconsider(now)

    def ration(self, cost: float | None, *, calls: float | None = None, delay: float = 0.0) -> None:
        """Have no more than this left after ``delay`` seconds: see ``Allowance.ration``."""
        with self._lock:
            now = current_clock().now()
            self._allowance.ration(cost, now, calls=calls, delay=delay)
            self._reconsider(now)

    def _next_look(self, place: Place, now: float) -> float:
        if place is self._first():
            self._timekeeper = place
            return self._allowance.wait_for(place.cost, now)
        # Others are woken when they are first. They look by themselves should the first be held
        # up, by a busy event loop for one, and have nothing to do at all once their time is over.
        if now < place.due:
            return place.due - now
        return place.until - now if now < place.until else float("inf")

    def _first(self) -> Place | None:
        for place in self._line:  # and not by next(iter()), between which it could be changed
            return place
        return None

    def _reconsider(self, now: float) -> None:
        """Look again whom to let in, and have the first reckon its time anew."""
        if self._line:
            self._timekeeper = None
            self._serve(now)

    def _serve(self, now: float) -> None:
        """Let in who can be; asked for again meanwhile, by a place given back, do so afterwards."""
        self._asked = True
        if self._serving:
            return
        self._serving = True
        try:
            while self._asked:
                self._asked = False
                self._let_in(now)
        finally:
            self._serving = False

    def _let_in(self, now: float) -> None:
        """Let in who can be, and wake the one that is first then."""
        while (first := self._first()) is not None:
            if not self._take(first.cost, now):
                self._remove(first)
                first.admitted = True
                if not first.wake():
                    self._allowance.give_back(first.cost, now)
            elif first is self._timekeeper or first.wake():
                return
            else:
                self._remove(first)

    def _remove(self, place: Place) -> None:
        if place in self._line:
            del self._line[place]
            self._line_cost = self._line_cost - place.cost if self._line else 0.0
        if place is self._timekeeper:
            self._timekeeper = None
