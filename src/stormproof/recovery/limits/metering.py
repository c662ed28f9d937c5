"""What a call costs: told by its arguments before it is made, and by its results afterwards."""

from collections.abc import Callable
from math import inf
from typing import Any, Final

from stormproof.errors import ConfigurationError, CostTooHigh
from stormproof.recovery.events import UsageUnknown, bus


class Price:
    """What a call costs, as a function of its arguments says.

    Args:
        option: The name of the option that holds the function.
        function: What says it.
        limit: The name of the limit.
        most: What the limit can let in at once.
    """

    __slots__ = ("_function", "_limit", "_most", "_option")

    def __init__(
        self, option: str, function: Callable[..., float], *, limit: str, most: float
    ) -> None:
        self._option: Final = option
        self._function: Final = function
        self._limit: Final = limit
        self._most: Final = most

    def __call__(self, /, *args: Any, **kwargs: Any) -> float:
        """Return the cost of a call with these arguments.

        Raises:
            ConfigurationError: The function raised, or did not return an amount.
            CostTooHigh: The call could never be let in.
        """
        try:
            cost = _amount(self._function(*args, **kwargs))
        except Exception as error:
            reason = f"it cannot tell what a call at {self._limit!r} costs"
            raise ConfigurationError(setting=self._option, reason=reason) from error
        if cost > self._most:
            raise CostTooHigh(limit=self._limit, cost=cost, most=self._most)
        return cost


class Meter:
    """What one call used, as its result tells, or the items of its stream: the last that tells.

    Args:
        usage: Returns what a result or an item tells, None if nothing.
        most: More than this is taken for this.
        strategy: For the event of a function that fails.
        pipeline: The same.

    Attributes:
        used: What was used, None while that is unknown.
    """

    __slots__ = ("_most", "_pipeline", "_strategy", "_usage", "used")

    def __init__(
        self,
        usage: Callable[[Any], float | None],
        most: float,
        strategy: str,
        pipeline: str,
    ) -> None:
        self._usage: Callable[[Any], float | None] | None = usage
        self._most: Final = most
        self._pipeline: Final = pipeline
        self._strategy: Final = strategy
        self.used: float | None = None

    def read(self, result: Any) -> None:
        """Look what ``result`` tells. A function that fails is not asked again for this call."""
        if self._usage is None:
            return
        try:
            told = self._usage(result)
            if told is not None:
                self.used = min(_amount(told), self._most)
        except Exception as error:  # noqa: BLE001 - the result is there, and must not be lost
            self._usage = self.used = None
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        if bus.listeners:
            bus.publish(UsageUnknown(pipeline=self._pipeline, strategy=self._strategy, error=error))


def _amount(told: object) -> float:
    """Return a number that is finite and not below 0.

    Raises:
        ValueError: ``told`` is none; it is not quoted, since it may be anything.
        OverflowError: It is a whole number beyond all bounds.
    """
    if isinstance(told, (int, float)) and not isinstance(told, bool) and 0 <= told < inf:
        return float(told)
    raise ValueError(f"a {type(told).__name__} that is no amount")
