"""Money that is counted exactly: in billionths, so that sums of small prices do not drift."""

from typing import Final

_BILLION: Final = 1_000_000_000


def nanos(amount: float) -> int:
    """Return an amount of money in billionths."""
    return round(amount * _BILLION)


def amount(nanos: int) -> float:
    """Return an amount of billionths as money."""
    return nanos / _BILLION
