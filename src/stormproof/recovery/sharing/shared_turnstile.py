"""Permits that several processes take from one store.

A call takes its permits at once, ahead of their time if need be, and waits until they are there:
the store knows one number for each bucket, and no line. While it is out of reach calls stand in
the process's own line, at its own allowance.

Where the store's memory allows it, some more are taken for the calls that follow, which then need
not ask, and nobody asks again for what was just refused.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from typing import Final, NamedTuple

from stormproof.recovery.clock import current_clock
from stormproof.recovery.limits.bucket import Allowance
from stormproof.recovery.limits.turnstile import Turnstile
from stormproof.recovery.sharing.operations import ChargePermits, RationPermits, TakePermits
from stormproof.recovery.sharing.pocket import Pocket
from stormproof.recovery.sharing.store import Steps, Store, result_of


class _Refusal(NamedTuple):
    """What the store said when there were too few permits.

    Attributes:
        cost: Of the call that asked for them.
        there_at: When they will be there.
        holds_until: When to ask again, since others may have given some back.
    """

    cost: float
    there_at: float
    holds_until: float


class SharedTurnstile(Turnstile):
    """A turnstile whose permits are in a store; itself, it stands by for when that is gone.

    Args:
        allowance: The process's own.
        store: Where the shared permits are.
        name: The same in every process.
    """

    def __init__(self, allowance: Allowance, store: Store, name: str) -> None:
        super().__init__(allowance)
        self._store: Final = store
        self._name: Final = name
        self._rates: Final = allowance.rates
        self._calls: Final[set[object]] = set()
        self._pocket: Final = Pocket(allowance.rates, store.memory)
        self._refused = _Refusal(0.0, 0.0, 0.0)

    @property
    def waiting(self) -> int:
        """How many calls of this process wait."""
        return super().waiting + len(self._calls)

    def enter(self, cost: float) -> bool:
        """Let a call in for which permits have been taken before."""
        return self._pocket.take(self._amounts(1.0, cost))

    def take(self, cost: float, longest: float) -> Steps[float | None]:
        """Take what a call costs.

        Returns:
            The seconds to wait for it; if those are more than ``longest``, nothing was taken.
            None if the store is out of reach.
        """
        now = current_clock().now()
        if now < self._refused.holds_until and cost >= self._refused.cost:
            wait = self._refused.there_at - now
            if wait > longest:
                return wait
        amounts, more = self._amounts(1.0, cost), self._pocket.room()
        taken = yield from result_of(TakePermits(self._name, self._rates, amounts, longest, more))
        if taken is None:
            return None
        if taken.more:
            self._keep(more)
        if taken.wait > longest:
            now = current_clock().now()
            self._refused = _Refusal(cost, now + taken.wait, now + self._store.memory)
        return taken.wait

    @contextmanager
    def waiting_for(self, cost: float) -> Iterator[None]:
        """Count a call as waiting; if it does not wait to the end, return what was taken for it."""
        call = object()
        self._calls.add(call)
        try:
            yield
        except BaseException:
            self._charge(-1.0, -cost)
            raise
        finally:
            self._calls.discard(call)

    def charge(self, extra: float) -> None:
        """Correct the cost of a call that was let in; less than 0 is given back."""
        super().charge(extra)
        self._keep(self._amounts(0.0, -extra))

    def ration(self, cost: float | None, *, calls: float | None = None, delay: float = 0.0) -> None:
        """Have no more than this left after ``delay`` seconds: see ``Allowance.ration``."""
        super().ration(cost, calls=calls, delay=delay)
        self._pocket.empty()
        amounts = self._amounts(inf if calls is None else calls, inf if cost is None else cost)
        self._store.tell(result_of(RationPermits(self._name, self._rates, amounts, delay)))

    def _charge(self, calls: float, cost: float) -> None:
        self._settle(self._amounts(calls, cost))

    def _keep(self, amounts: tuple[float, ...]) -> None:
        owed = self._pocket.put(amounts)
        if owed is not None:
            self._settle(owed)

    def _settle(self, amounts: tuple[float, ...]) -> None:
        self._store.tell(result_of(ChargePermits(self._name, self._rates, amounts)))

    def _amounts(self, calls: float, cost: float) -> tuple[float, ...]:
        return (calls, cost)[-len(self._rates) :]
