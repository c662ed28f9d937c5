"""Every spelling in which a provider says how long to wait."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.errors.retry_after import LONGEST_WAIT
from stormproof.errors.translate.rate_limits import asked_wait, limit_wait

NOW = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after-ms": "250", "retry-after": "3"}, 0.25),
        ({"retry-after": "Thu, 01 Jan 2026 00:00:09 GMT"}, 9.0),
        ({"retry-after": "0", "x-ratelimit-reset-requests": "1m"}, 0.0),
        ({"x-ratelimit-reset-requests": "1s"}, 1.0),
        ({"x-ratelimit-reset-requests": "6m0s"}, 360.0),
        ({"x-ratelimit-reset-tokens": "20ms"}, 0.02),
        ({"x-ratelimit-reset-tokens": "1h2m3.5s"}, 3723.5),
        ({"anthropic-ratelimit-tokens-reset": "2026-01-01T00:00:45Z"}, 45.0),
        ({"anthropic-ratelimit-requests-reset": "2026-01-01T01:00:05+01:00"}, 5.0),
        ({"anthropic-ratelimit-requests-reset": "2025-12-31T00:00:00Z"}, 0.0),
        ({"x-ratelimit-reset": "12"}, 12.0),
        ({"x-ratelimit-reset": str(int(NOW) + 8)}, 8.0),
        ({"x-ratelimit-reset": str(int(NOW) * 1000 + 8000)}, 8.0),
        ({"ratelimit-reset": "4"}, 4.0),
        ({"x-ratelimit-reset": "99999999"}, LONGEST_WAIT),
        ({"x-ratelimit-reset": "soon"}, None),
        ({"x-ratelimit-reset": "-5"}, None),
        ({"x-ratelimit-reset-tokens": "nan"}, None),
    ],
)
def test_a_header_becomes_seconds(headers: dict[str, str], wait: float | None) -> None:
    """Durations, points in time, and nonsense; what asks to wait counts before what measures."""
    assert limit_wait(headers, now=NOW) == (None if wait is None else pytest.approx(wait))


def test_the_exhausted_budget_decides() -> None:
    """The other one may be far from full and far from empty."""
    headers = {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "2s",
        "x-ratelimit-remaining-tokens": "1000",
        "x-ratelimit-reset-tokens": "50s",
    }
    assert limit_wait(headers, now=NOW) == 2.0


def test_the_slowest_budget_decides_when_none_is_exhausted() -> None:
    """One request may want more tokens than are left though some are."""
    headers = {
        "x-ratelimit-remaining-requests": "5",
        "x-ratelimit-reset-requests": "2s",
        "x-ratelimit-remaining-tokens": "10",
        "x-ratelimit-reset-tokens": "50s",
    }
    assert limit_wait(headers, now=NOW) == 50.0


def test_a_measurement_is_not_a_request_to_wait() -> None:
    """Providers send their budgets with every answer, also with a crash."""
    assert asked_wait({"x-ratelimit-reset-requests": "1s"}, now=NOW) is None


NAMES = st.sampled_from(
    ["retry-after", "retry-after-ms", "x-ratelimit-reset", "x-ratelimit-reset-tokens"]
)


@given(st.dictionaries(NAMES, st.text(max_size=50) | st.from_regex(r"[0-9hms.]{1,50}")))
def test_no_header_makes_it_raise_or_leave_its_bounds(headers: dict[str, str]) -> None:
    """Headers are a stranger's."""
    wait = limit_wait(headers, now=NOW)
    assert wait is None or 0 <= wait <= LONGEST_WAIT
