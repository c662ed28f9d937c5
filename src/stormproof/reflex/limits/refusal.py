"""What a caller is told about limits: in headers, and when he is turned away."""

from collections.abc import Iterator
from math import ceil, inf
from typing import Final, NamedTuple

from stormproof.errors import CostTooHigh, RateLimitExceeded, StormproofError
from stormproof.reflex.limits.gauge import MINUTE
from stormproof.reflex.limits.gauges import Standing
from stormproof.reflex.limits.subject import Scope

_SOON: Final = 1.0
"""Seconds after which to try again where nobody knows when a place will be free."""

_ROUNDING: Final = 1e-6

_HEADERS: Final = tuple(
    tuple(f"x-ratelimit-{what}-{unit}" for what in ("limit", "remaining", "reset"))
    for unit in ("requests", "tokens")
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


def limit_headers(standing: Standing) -> dict[str, str]:
    """Return how much is left, as OpenAI's API tells it: of several limits that with the least.

    What a caller shares with others is not told: it would say what those do.
    """
    said: dict[str, str] = {}
    least = [inf, inf]
    for (subject, settings), state in zip(standing.limited, standing.states, strict=True):
        if not subject.scope.own:
            continue
        limits = (settings.requests_per_minute, settings.tokens_per_minute)
        for place, (limit, reset) in enumerate(zip(limits, state.debts, strict=True)):
            if limit is None:
                continue
            left = max(limit - ceil(reset * limit / MINUTE - _ROUNDING), 0)
            if left < least[place]:
                least[place] = left
                limit_name, left_name, reset_name = _HEADERS[place]
                said[limit_name], said[left_name] = str(limit), str(left)
                said[reset_name] = f"{reset:.3f}s"
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
    said = limit_headers(standing)
    shown = f"{lack.limit} {lack.what}" if lack.scope.own else lack.what
    return RateLimitExceeded(
        reason=f"{shown} {_WHOSE[lack.scope]}",
        retry_after=max(lack.wait, 0.0),
        headers="\n".join(f"{name}: {value}" for name, value in said.items()) or None,
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
