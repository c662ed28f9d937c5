"""Permits that several processes take from one store.

A call takes its permits at once, ahead of their time if need be, and waits until they are there:
the store knows one number for each bucket, and no line. While it is out of reach calls stand in
the process's own line, at its own allowance.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from typing import Final

from stormproof.recovery.limits.bucket import Allowance
from stormproof.recovery.limits.turnstile import Turnstile
from stormproof.recovery.sharing.operations import ChargePermits, RationPermits, TakePermits
from stormproof.recovery.sharing.store import Steps, Store, result_of


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

    @property
    def waiting(self) -> int:
        """How many calls of this process wait."""
        return super().waiting + len(self._calls)

    def enter(self, cost: float) -> bool:  # noqa: ARG002 - whether it need not wait, the store says
        """Let nobody in who has not taken anything."""
        return False

    def take(self, cost: float, longest: float) -> Steps[float | None]:
        """Take what a call costs.

        Returns:
            The seconds to wait for it; if those are more than ``longest``, nothing was taken.
            None if the store is out of reach.
        """
        amounts = self._amounts(1.0, cost)
        return (yield from result_of(TakePermits(self._name, self._rates, amounts, longest)))

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
        self._charge(0.0, extra)

    def ration(self, cost: float | None, *, calls: float | None = None, delay: float = 0.0) -> None:
        """Have no more than this left after ``delay`` seconds: see ``Allowance.ration``."""
        super().ration(cost, calls=calls, delay=delay)
        amounts = self._amounts(inf if calls is None else calls, inf if cost is None else cost)
        self._store.tell(result_of(RationPermits(self._name, self._rates, amounts, delay)))

    def _charge(self, calls: float, cost: float) -> None:
        amounts = self._amounts(calls, cost)
        self._store.tell(result_of(ChargePermits(self._name, self._rates, amounts)))

    def _amounts(self, calls: float, cost: float) -> tuple[float, ...]:
        return (calls, cost)[-len(self._rates) :]
