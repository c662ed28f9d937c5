"""The Retry-After header, both ways."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.errors import format_retry_after, parse_retry_after
from stormproof.errors.retry_after import LONGEST_WAIT

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("  7 ", 7.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("1e9", LONGEST_WAIT),
        ("999999999999999999999999", LONGEST_WAIT),
    ],
)
def test_seconds_are_taken_within_bounds(header: str, seconds: float) -> None:
    """Never negative, never more than a day; zero means at once and is kept."""
    assert parse_retry_after(header) == seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30.0),
        ("Thursday, 01-Jan-26 12:00:30 GMT", 30.0),
        ("Thu, 01 Jan 2026 13:00:30 +0100", 30.0),
        ("Thu, 01 Jan 2026 12:00:30 -0000", 30.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("Fri, 01 Jan 2100 00:00:00 GMT", LONGEST_WAIT),
    ],
)
def test_a_date_is_the_time_until_then(header: str, seconds: float) -> None:
    """A date that is past means at once."""
    assert parse_retry_after(header, now=NOON) == seconds


@pytest.mark.parametrize(
    "header",
    ["", " ", "soon", "nan", "inf", "-inf", "1 2", "Thu, 99 Jan 2026 12:00:30 GMT", "\0"],
)
def test_what_says_nothing_sensible_is_none(header: str) -> None:
    """None means unknown, which is not the same as at once."""
    assert parse_retry_after(header, now=NOON) is None


@given(st.text(max_size=60))
def test_no_text_makes_it_raise_or_leave_its_bounds(header: str) -> None:
    """The header is a stranger's."""
    seconds = parse_retry_after(header, now=NOON)
    assert seconds is None or 0 <= seconds <= LONGEST_WAIT


@given(st.floats(min_value=0, max_value=LONGEST_WAIT))
def test_what_we_send_never_lets_anybody_be_early(seconds: float) -> None:
    """The header has whole seconds, rounded up, and reads back as at least the wait."""
    header = format_retry_after(seconds)
    assert header.isdigit()
    back = parse_retry_after(header)
    assert back == math.ceil(seconds)


def test_a_negative_wait_is_sent_as_zero() -> None:
    """A deadline may have passed while the error travelled."""
    assert format_retry_after(-1.0) == "0"
