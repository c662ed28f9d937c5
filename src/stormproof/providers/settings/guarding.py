"""What stands between us and those whom the settings name: circuits and limits.

A circuit belongs to a model of a provider, however many names it answers for. A limit belongs to
the table it is written in: to a rung alone, or to a provider and with it to all its models. With a
store they belong to all who share that, but for the calls at once, of which each process has its
own.
"""

from collections.abc import Hashable, Sequence
from functools import partial
from typing import Final

from stormproof.providers.candidate import usual_breaker
from stormproof.providers.chat import ChatRequest, Chunk, Completion
from stormproof.providers.embeddings.request import EmbeddingRequest, Embeddings
from stormproof.providers.settings.keeping import Kept
from stormproof.providers.settings.tables import Limits
from stormproof.recovery import Bulkhead, CircuitBreaker, Quota, RateLimit, Store, Strategy

_MINUTE: Final = 60.0
_ANY_NUMBER: Final = 1_000_000


class Guards:
    """Makes circuits and limits, of each one.

    Args:
        kept: Those that were made before.
        store: Where several processes share them; None if they do not.
    """

    def __init__(self, kept: Kept, store: Store | None = None) -> None:
        self._kept = kept
        self._store = store

    def breaker(self, target: str, *reached: Hashable) -> CircuitBreaker:
        """Return the circuit of somebody who answers.

        Args:
            target: Who that is.
            reached: Where he listens, and by which key: another one may be well. Nothing for
                somebody in this process.
        """
        store = self._store if reached else None
        make = partial(usual_breaker, target, store)
        return self._kept.one(make, "breaker", target, store, *reached)

    def limits(self, *tables: tuple[str, Limits]) -> Sequence[Strategy]:
        """Return what keeps us within limits: nobody waits, the next rung answers.

        Args:
            tables: What is limited, by name, and how; each one outside the next.
        """
        places = [self._bulkhead(name, said.concurrency) for name, said in tables]
        rates = [self._rate(name, said) for name, said in tables]
        return [limit for limit in (*places, *rates) if limit]

    def _bulkhead(self, name: str, most: int | None) -> Strategy | None:
        if most is None:
            return None
        return self._kept.one(lambda: Bulkhead(name, most), "bulkhead", name, most)

    def _rate(self, name: str, said: Limits) -> Strategy | None:
        requests, tokens = said.requests_per_minute, said.tokens_per_minute
        if requests is None and tokens is None:
            return None
        make = partial(_limit, name, requests, tokens, self._store)
        return self._kept.one(make, "rate", name, requests, tokens, self._store)


def _limit(name: str, requests: int | None, tokens: int | None, store: Store | None) -> Strategy:
    if tokens is None:
        return RateLimit(name, requests or _ANY_NUMBER, _MINUTE, max_wait=0.0, store=store)

    def estimate(request: ChatRequest | EmbeddingRequest, *_: object) -> float:
        # One that could never fit goes through when nothing else does: it is the provider's to say.
        return min(request.tokens, tokens)

    return Quota(
        name,
        requests=requests or _ANY_NUMBER,
        tokens=tokens,
        estimate=estimate,
        usage=_used,
        period=_MINUTE,
        max_wait=0.0,
        store=store,
    )


def _used(said: Completion | Chunk | Embeddings) -> float | None:
    return (said.usage.total_tokens or None) if said.usage else None
