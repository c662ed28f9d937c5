"""Checks shared by the options of all strategies."""

from math import inf
from typing import Final, TypeGuard

from stormproof.errors import Problems

LONGEST: Final = 86_400.0
"""Seconds; longer than a day is a mistake in units."""


def check_count(
    problems: Problems, field: str, value: object, *, least: int = 1, most: int = 1_000_000
) -> None:
    """Note a problem unless ``value`` is a whole number from ``least`` to ``most``."""
    fine = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
    problems.check(fine, field, f"must be a whole number from {least} to {most}", "count")


def check_seconds(problems: Problems, field: str, value: object, *, positive: bool = True) -> None:
    """Note a problem unless ``value`` is a time of at most a day.

    Args:
        problems: Where to note it.
        field: The name of the option.
        value: What was given.
        positive: Whether zero is wrong.
    """
    fine = is_number(value) and (value > 0 or (value == 0 and not positive)) and value <= LONGEST
    bound = "more than 0" if positive else "0 or more"
    problems.check(fine, field, f"must be {bound} and at most {LONGEST:g} seconds", "seconds")


def is_number(value: object) -> TypeGuard[float]:
    """Whether ``value`` is a finite number, and not a truth value that happens to be one."""
    # And not math.isfinite(), which raises at a whole number of 400 digits.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -inf < value < inf
