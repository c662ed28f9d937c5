"""langchain-core: ``with_retry`` and ``with_fallbacks`` of a runnable."""

from collections.abc import Iterator
from inspect import iscoroutinefunction
from typing import Any

from langchain_core.runnables import RunnableLambda

from recovery_peers.peer import Peer
from recovery_peers.row import Row, aok, both, ok, retried

_RETRY: dict[str, Any] = {"stop_after_attempt": 3, "wait_exponential_jitter": False}


def rows() -> Iterator[Row]:
    yield from both("bare call", "langchain, a runnable", lambda fn: _called(_runnable(fn), fn))
    yield from both("retry", "langchain, with_retry", _retry)
    yield from both("fallback", "langchain, with_fallbacks", _fallback)
    yield from retried("langchain, with_retry", _retry)


def _runnable(fn: Any) -> Any:
    if iscoroutinefunction(fn):

        async def acall(_: object) -> Any:
            return await fn()

        return RunnableLambda(lambda _: 1, afunc=acall)
    return RunnableLambda(lambda _: fn())


def _called(runnable: Any, fn: Any) -> Any:
    if not iscoroutinefunction(fn):
        return lambda: runnable.invoke(1)

    async def acall() -> Any:
        return await runnable.ainvoke(1)

    return acall


def _retry(fn: Any) -> Any:
    return _called(_runnable(fn).with_retry(**_RETRY), fn)


def _fallback(fn: Any) -> Any:
    other = aok if iscoroutinefunction(fn) else ok
    return _called(_runnable(fn).with_fallbacks([_runnable(other)]), fn)


PEER = Peer(
    name="langchain",
    package="langchain_core",
    retry=lambda: _retry,
    plain_retry=lambda: _retry,
)
