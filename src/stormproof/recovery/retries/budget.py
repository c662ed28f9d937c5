"""How many extra calls a dependency is sent while it fails.

When a dependency is down, three attempts for each call are three times the load, just when it
can bear least. A budget bounds all of them together: each success earns a part of a retry, as in
Finagle's ``RetryBudget``, and a retry is charged when it is scheduled, so that those waiting in
backoff count, as in Envoy's.
"""

from math import exp, inf
from threading import RLock
from typing import TYPE_CHECKING, Final

from stormproof.errors import Problems
from stormproof.recovery.clock import current_clock
from stormproof.recovery.options import check_seconds, is_number
from stormproof.recovery.sharing.store import Steps, Store, arun, in_event_loop, result_of, run

if TYPE_CHECKING:
    from stormproof.recovery.sharing.operations import Balance, ChangeBalance

_MOST_PER_SECOND: Final = 1_000_000
# A tenth, added up ten times, is a little less than one.
_ROUNDING: Final = 1e-6
# A success is dated to a hundredth of the window, which makes counting it cheap.
_STEPS: Final = 100


class RetryBudget:
    """Bounds the retries of one dependency to a part of its recent successes, plus a few.

    A balance of retries: a success adds ``ratio``, a retry takes 1, and there is no retry while
    less than 1 is left. The balance begins at ``floor * window`` and drifts back to that, by
    1 - 1/e of the difference in each window: what good times saved up fades, and an empty
    budget refills at ``floor`` a second. So over any length of time ::

        retries <= balance at its start + ratio * successes + floor * seconds

    Share one among all that calls the dependency: ``Retry(budget=...)``. It is safe between
    threads, takes the same time and memory whatever the traffic, and is never locked while a
    call is made.

    Args:
        ratio: Retries that a success earns; 0 to 1000.
        floor: Retries per second that are there however few calls succeed; 0 to a million.
        window: Seconds that a success is remembered for, more or less.
        name: Which dependency this is; needed with a store.
        store: Where the balance is, if several processes share it: all that have a budget of this
            name in this store. By default it is this process's own.
    """

    __slots__ = (
        "_balance",
        "_floor",
        "_lock",
        "_name",
        "_ratio",
        "_rest",
        "_settle_at",
        "_settled_at",
        "_store",
        "_window",
    )

    def __init__(
        self,
        ratio: float = 0.2,
        *,
        floor: float = 2.0,
        window: float = 10.0,
        name: str = "",
        store: Store | None = None,
    ) -> None:
        problems = Problems()
        fine = is_number(ratio) and 0 <= ratio <= 1000  # noqa: PLR2004 - as documented
        problems.check(fine, "ratio", "must be a number from 0 to 1000", "number")
        fine = is_number(floor) and 0 <= floor <= _MOST_PER_SECOND
        problems.check(fine, "floor", f"must be a number from 0 to {_MOST_PER_SECOND}", "number")
        check_seconds(problems, "window", window)
        fine = store is None or isinstance(store, Store)
        problems.check(fine, "store", "must be a store, such as RedisStore", "store")
        fine = store is None or bool(name)
        problems.check(fine, "name", "must name the dependency if it is shared", "missing")
        problems.raise_if_any("the retry budget is not valid")
        self._ratio: Final = ratio
        self._floor: Final = floor
        self._window: Final = window
        self._rest: Final = floor * window
        self._name: Final = name
        self._store: Final = store
        self._balance = self._rest
        self._settled_at = self._settle_at = current_clock().now()
        # Reentrant, because the garbage collector may run somebody's finalizer, and so a guarded
        # call, at any point of this thread.
        self._lock: Final = RLock()

    def __repr__(self) -> str:
        return f"RetryBudget({self._ratio:g}, floor={self._floor:g}, window={self._window:g})"

    def __str__(self) -> str:
        return f"{self._ratio:.0%} + {self._floor:g}/s"

    @property
    def shared(self) -> bool:
        """Whether the balance is in a store, so that a coroutine has to wait for an answer."""
        return self._store is not None

    @property
    def balance(self) -> float:
        """How many retries could be scheduled at once, now; if shared, as last heard."""
        with self._lock:
            self._settle(current_clock().now())
            return self._balance

    def deposit(self) -> None:
        """Count a success; inside an event loop a store hears of it in the background."""
        now = current_clock().now()
        with self._lock:
            if now >= self._settle_at:
                self._settle(now)
            self._balance += self._ratio
        if self._store is not None:
            self._store.tell(self._changed(self._ratio))

    def withdraw(self) -> bool:
        """Take leave for one extra call, when it is decided on; return whether there was any.

        Inside an event loop, which must not be blocked, a shared budget goes by the balance that
        it last heard of, and the store is told: ``awithdraw`` asks.
        """
        store = self._store
        if store is None:
            return self._take()
        if in_event_loop():
            granted = self._take()
            if granted:
                store.tell(self._changed(-1))
            return granted
        return run(store, self._withdrawn())

    async def awithdraw(self) -> bool:
        """Take leave for one extra call, when it is decided on; return whether there was any."""
        if self._store is None:
            return self._take()
        return await arun(self._store, self._withdrawn())

    def _withdrawn(self) -> Steps[bool]:
        least = 1 - _ROUNDING
        balance = yield from result_of(self._change(-1, least))
        if balance is None:
            return self._take()
        self._heard(balance)
        return balance.granted

    def _changed(self, retries: float) -> Steps[None]:
        balance = yield from result_of(self._change(retries, -inf))
        if balance is not None:
            self._heard(balance)

    def _change(self, retries: float, least: float) -> "ChangeBalance":
        from stormproof.recovery.sharing.operations import ChangeBalance  # noqa: PLC0415 - few share

        return ChangeBalance(self._name, retries, least, self._rest, self._window)

    def _heard(self, balance: "Balance") -> None:
        """Go on from the shared balance, should the store be out of reach next time."""
        with self._lock:
            self._settle(current_clock().now())
            self._balance = balance.retries

    def _take(self) -> bool:
        now = current_clock().now()
        with self._lock:
            self._settle(now)
            if self._balance < 1 - _ROUNDING:
                return False
            self._balance -= 1
            return True

    def _settle(self, now: float) -> None:
        """Let the balance drift for the time since it was last looked at."""
        elapsed = now - self._settled_at
        if elapsed > 0:
            self._settled_at = now
            self._settle_at = now + self._window / _STEPS
            left = exp(-elapsed / self._window)
            self._balance = self._rest + (self._balance - self._rest) * left
