"""What a caller is told about limits: in headers, and when he is turned away."""

from collections.abc import Iterator, Sequence
from math import ceil, inf
from typing import Final, NamedTuple

from stormproof.errors import CostTooHigh, RateLimitExceeded, StormproofError
from stormproof.reflex.limits.applying import Limited
from stormproof.reflex.limits.gauge import MINUTE
from stormproof.reflex.limits.gauges import Standing
from stormproof.reflex.limits.subject import Scope

_SOON: Final = 1.0
"""Seconds after which to try again where nobody knows when a place will be free."""

_ROUNDING: Final = 1e-6

_HEADERS: Final = tuple(
    (
        b"x-ratelimit-limit-%b" % unit,
        b"x-ratelimit-remaining-%b" % unit,
        b"x-ratelimit-reset-%b" % unit,
    )
    for unit in (b"requests", b"tokens")
)

_WHOSE: Final = {
    Scope.KEY: "for this key",
    Scope.USER: "for this user",
    Scope.ADDRESS: "for this address",
    Scope.MODEL: "for this model",
    Scope.ALL: "for all together",
}


class _Lack(NamedTuple):
    """What a request did not get.

    Attributes:
        wait: Seconds until it may get it.
        scope: From whom.
        limit: How much there is at most.
        what: Of what.
    """

    wait: float
    scope: Scope
    limit: int
    what: str


def limit_headers(
    limited: Sequence[Limited], debts: Sequence[tuple[float, float]]
) -> dict[bytes, bytes]:
    """Return how much is left, as OpenAI's API tells it: of several limits that with the least.

    What a caller shares with others is not told: it would say what those do.

    Args:
        limited: Whose limits there are.
        debts: Of each the seconds until all requests are there, and all tokens.
    """
    said: dict[bytes, bytes] = {}
    least = [inf, inf]
    for ((scope, *_), settings), resets in zip(limited, debts, strict=True):
        if not scope.own:
            continue
        for place, limit in enumerate((settings.requests_per_minute, settings.tokens_per_minute)):
            if limit is None:
                continue
            left = max(limit - ceil(resets[place] * limit / MINUTE - _ROUNDING), 0)
            if left < least[place]:
                least[place] = left
                limit_name, left_name, reset_name = _HEADERS[place]
                said[limit_name], said[left_name] = b"%d" % limit, b"%d" % left
                said[reset_name] = b"%.3fs" % resets[place]
    return said


def refusal(standing: Standing, tokens: int) -> StormproofError:
    """Return why a request was not let in: what it has to wait for longest.

    Args:
        standing: How its limits stood.
        tokens: What it was taken to need.
    """
    for (scope, *_), settings in standing.limited:
        most = settings.tokens_per_minute
        if most is not None and tokens > most:
            return CostTooHigh(limit=f"tokens per minute {_WHOSE[scope]}", cost=tokens, most=most)
    lack = max(_lacks(standing, tokens))
    said = limit_headers(standing.limited, [state.debts for state in standing.states])
    shown = f"{lack.limit} {lack.what}" if lack.scope.own else lack.what
    return RateLimitExceeded(
        reason=f"{shown} {_WHOSE[lack.scope]}",
        retry_after=max(lack.wait, 0.0),
        headers=b"\n".join(b"%b: %b" % header for header in said.items()).decode() or None,
    )


def _lacks(standing: Standing, tokens: int) -> Iterator[_Lack]:
    for ((scope, *_), settings), state in zip(standing.limited, standing.states, strict=True):
        rates = (settings.requests_per_minute, settings.tokens_per_minute)
        for limit, debt, amount, unit in zip(
            rates, state.debts, (1, tokens), ("requests", "tokens"), strict=True
        ):
            if limit is not None:
                wait = debt + amount * MINUTE / limit - MINUTE
                yield _Lack(wait, scope, limit, f"{unit} per minute")
        if settings.concurrency is not None and state.taken >= settings.concurrency:
            yield _Lack(_SOON, scope, settings.concurrency, "requests at once")
