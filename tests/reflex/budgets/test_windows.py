"""Days and months, in UTC."""

from datetime import UTC, datetime

import pytest

from stormproof.reflex.budgets.windows import Calendar


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("now", "day_ends", "month", "month_ends"),
    [
        ("2026-11-21T23:59:59", "2026-11-22", "2026-11", "2026-12-01"),
        ("2026-12-31T12:00:00", "2027-01-01", "2026-12", "2027-01-01"),
        ("2028-02-29T00:00:00", "2028-03-01", "2028-02", "2028-03-01"),
        ("2026-01-31T00:00:01", "2026-02-01", "2026-01", "2026-02-01"),
    ],
)
def test_a_day_and_a_month_end_where_the_calendar_has_it(
    now: str, day_ends: str, month: str, month_ends: str
) -> None:
    """At the first moment of the next."""
    windows = Calendar(lambda: at(now)).windows()
    assert windows.day.label == now[:10]
    assert windows.day.start == datetime.fromisoformat(now[:10]).replace(tzinfo=UTC)
    assert (windows.day.ends, windows.month.ends) == (at(day_ends), at(month_ends))
    assert (windows.month.label, windows.month.begins) == (month, at(f"{month}-01"))


def test_all_day_long_it_is_the_same() -> None:
    """Also for who asks by identity; a clock that is set back is believed."""
    times = [at("2026-11-21"), at("2026-11-21T23:59"), at("2026-11-22"), at("2026-11-20")]
    clock = iter([times[0], *times])
    calendar = Calendar(lambda: next(clock))
    first, second, third, fourth = (calendar.windows() for _ in times)
    assert first is second
    assert [third.day.label, fourth.day.label] == ["2026-11-22", "2026-11-20"]
