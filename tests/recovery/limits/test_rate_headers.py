"""What servers say about their limits, in every spelling."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.errors.retry_after import LONGEST_WAIT
from stormproof.recovery.limits.rate_headers import ServerLimits, read_limits

NOW = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
OPENAI = {
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-limit-tokens": "200000",
    "x-ratelimit-remaining-requests": "499",
    "x-ratelimit-remaining-tokens": "195000",
    "x-ratelimit-reset-requests": "120ms",
    "x-ratelimit-reset-tokens": "1.5s",
}
ANTHROPIC = {
    "anthropic-ratelimit-requests-limit": "50",
    "anthropic-ratelimit-requests-remaining": "49",
    "anthropic-ratelimit-requests-reset": "2026-01-01T00:00:01Z",
    "anthropic-ratelimit-tokens-remaining": "48000",
    "anthropic-ratelimit-input-tokens-remaining": "40000",
    "anthropic-ratelimit-output-tokens-remaining": "8000",
}


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, ServerLimits()),
        (OPENAI, ServerLimits(requests=499, tokens=195_000)),
        ({name.title(): value for name, value in OPENAI.items()}, ServerLimits(499, 195_000)),
        (ANTHROPIC, ServerLimits(requests=49, tokens=8000)),
        ({"retry-after": "3"}, ServerLimits(pause=3)),
        ({"retry-after-ms": "250"}, ServerLimits(pause=0.25)),
        ({"retry-after": "Thu, 01 Jan 2026 00:00:09 GMT"}, ServerLimits(pause=9)),
        # A bucket that is empty: the first request is there long before it is full.
        (OPENAI | {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m0s"},
         ServerLimits(requests=0, tokens=195_000, pause=0.12)),
        (ANTHROPIC | {"anthropic-ratelimit-requests-remaining": "0",
                      "anthropic-ratelimit-requests-reset": "2026-01-01T00:01:00Z"},
         ServerLimits(requests=0, tokens=8000, pause=1.2)),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"},
         ServerLimits(requests=0, pause=360)),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"},
         ServerLimits(tokens=0)),
        # A window that is used up: nothing before the next one.
        ({"ratelimit-limit": "100", "ratelimit-remaining": "7", "ratelimit-reset": "40"},
         ServerLimits(requests=7)),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "40"},
         ServerLimits(requests=0, pause=40)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 8)},
         ServerLimits(requests=0, pause=8)),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(int(NOW) * 1000 + 8000)},
         ServerLimits(requests=0, pause=8)),
        ({"ratelimit-remaining": "0"}, ServerLimits(requests=0)),
        ({"ratelimit": "limit=100, remaining=50, reset=5"}, ServerLimits(requests=50)),
        ({"ratelimit": "limit=100, remaining=0, reset=5"}, ServerLimits(requests=0, pause=5)),
        ({"ratelimit": '"default";r=50;t=30'}, ServerLimits(requests=50)),
        ({"ratelimit": '"burst"; r=3; t=1, "daily"; r=0; t=36000'},
         ServerLimits(requests=0, pause=36_000)),
        ({"ratelimit": '"calls";r=9;t=5,"bytes";r=0;t=30',
          "ratelimit-policy": '"calls";q=10;w=60,"bytes";q=1;pk=":a:";qu="content-bytes"'},
         ServerLimits(requests=9)),
        # Of several the least, and the longest.
        ({"ratelimit-remaining": "5", "x-ratelimit-remaining-requests": "3"},
         ServerLimits(requests=3)),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "4", "retry-after": "2"},
         ServerLimits(requests=0, pause=4)),
        # Nonsense is no statement.
        ({"x-ratelimit-remaining-requests": "-1"}, ServerLimits()),
        ({"x-ratelimit-remaining-requests": "nan"}, ServerLimits()),
        ({"x-ratelimit-remaining-requests": "1e9"}, ServerLimits()),
        ({"x-ratelimit-remaining-tokens": "9" * 400}, ServerLimits()),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "soon"}, ServerLimits(requests=0)),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "99999999"},
         ServerLimits(requests=0, pause=LONGEST_WAIT)),
        ({"ratelimit": '"far";r=0;t=999999999'}, ServerLimits(requests=0, pause=LONGEST_WAIT)),
        ({"ratelimit": "a lot"}, ServerLimits()),
        ({"retry-after": "inf"}, ServerLimits()),
    ],
)  # fmt: skip
def test_headers_are_read(headers: dict[str, str], said: ServerLimits) -> None:
    assert read_limits(headers, now=NOW) == pytest.approx(said)


@pytest.mark.parametrize("wall_clock", [NOW - 3600, NOW, NOW + 3600])
def test_a_point_in_time_is_compared_with_the_date_of_the_response(
    wall_clock: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it does not matter whether the two clocks agree."""
    monkeypatch.setattr("time.time", lambda: wall_clock)
    headers = {
        "date": "Thu, 01 Jan 2026 00:00:00 GMT",
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": "2026-01-01T00:00:20Z",
    }
    assert read_limits(headers).pause == pytest.approx(20)


def test_a_date_of_no_known_zone_is_utc_wherever_we_are(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {
        "date": "Thu, 01 Jan 2026 00:00:00 -0000",
        "ratelimit-remaining": "0",
        "ratelimit-reset": f"{NOW + 5:.0f}",
    }
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        said = read_limits(headers)
    time.tzset()
    assert said.pause == 5


@pytest.mark.parametrize("date", [None, "yesterday", "Thu, 01 Jan 99999 00:00:00 GMT", ""])
def test_without_a_sensible_date_the_wall_clock_counts(
    date: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: NOW)
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 5)}
    if date is not None:
        headers["date"] = date
    assert read_limits(headers).pause == pytest.approx(5)


class Broken(Mapping[str, str]):
    def __getitem__(self, name: str) -> str:
        raise RuntimeError("closed")

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Any:
        raise RuntimeError("closed")


@pytest.mark.parametrize("headers", [Broken(), None, 7, {"retry-after": 7}, {7: "7"}])
def test_what_is_no_mapping_of_texts_says_nothing(headers: Any) -> None:
    assert read_limits(headers, now=NOW) == ServerLimits()


NAMES = st.sampled_from([*OPENAI, *ANTHROPIC, "ratelimit", "ratelimit-policy", "retry-after",
                         "ratelimit-remaining", "ratelimit-reset", "date"])  # fmt: skip
VALUES = st.text(max_size=60) | st.text('0123456789.,;="rtqu smh-:TZ', max_size=60)


@given(st.dictionaries(NAMES, VALUES))
def test_no_header_makes_it_raise_or_leave_its_bounds(headers: dict[str, str]) -> None:
    said = read_limits(headers)
    assert 0 <= said.pause <= LONGEST_WAIT
    assert said.requests is None or 0 <= said.requests < 1e15
    assert said.tokens is None or 0 <= said.tokens < 1e15
