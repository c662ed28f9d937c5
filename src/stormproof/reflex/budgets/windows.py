"""Days and months, in which budgets are spent."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple


class Period(StrEnum):
    """What a budget is for."""

    DAY = "day"
    MONTH = "month"


class Window(NamedTuple):
    """One day, or one month of the calendar, in UTC.

    Attributes:
        period: Which of the two.
        label: Its date, as ISO 8601 has it: ``2026-11-21``, ``2026-11``.
        begins: Seconds since the epoch.
        ends: The same; the first that are no longer part of it.
    """

    period: Period
    label: str
    begins: float
    ends: float

    @property
    def start(self) -> datetime:
        """When it begins."""
        return datetime.fromtimestamp(self.begins, UTC)


class Windows(NamedTuple):
    """The windows in which it is now.

    Attributes:
        day: The day.
        month: The month.
    """

    day: Window
    month: Window


class Calendar:
    """Tells which day and month it is.

    Args:
        now: Returns seconds since the epoch.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now: Final = now
        self._set(now())

    def windows(self) -> Windows:
        """Return the day and the month that it is: the same object all day."""
        now = self.now()
        if not self._begins <= now < self._ends:
            self._set(now)
        return self._windows

    def _set(self, now: float) -> None:
        self._windows = Windows(_window(Period.DAY, now), _window(Period.MONTH, now))
        self._begins, self._ends = self._windows.day.begins, self._windows.day.ends


def _window(period: Period, now: float) -> Window:
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period is Period.DAY:
        begins, label = today, f"{today:%Y-%m-%d}"
        ends = today + timedelta(days=1)
    else:
        begins, label = today.replace(day=1), f"{today:%Y-%m}"
        ends = (begins + timedelta(days=31)).replace(day=1)
    return Window(period, label, begins.timestamp(), ends.timestamp())
