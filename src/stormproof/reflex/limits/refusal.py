"""What a caller is told when he is turned away."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from stormproof.errors import CostTooHigh, RateLimitExceeded, StormproofError
from stormproof.reflex.limits.gauge import MINUTE
from stormproof.reflex.limits.gauges import Standing
from stormproof.reflex.limits.headers import limit_headers, told
from stormproof.reflex.limits.subject import Scope

_SOON: Final = 1.0
"""Seconds after which to try again where nobody knows when a place will be free."""

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
    said = limit_headers(told(standing.limited), [state.debts for state in standing.states])
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
