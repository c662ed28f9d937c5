"""A thousand tokens from sources that break at any points: exactly those arrive, each one once."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from itertools import repeat

from hypothesis import given, settings
from hypothesis import strategies as st

from stormproof.errors import NetworkError, ProviderOverloaded
from stormproof.recovery import (
    CircuitBreaker,
    ConsecutiveFailures,
    Failover,
    Fallback,
    IdleTimeout,
    Pipeline,
    Resume,
    Retry,
    Target,
)
from stormproof.recovery.strategy import Call
from stormproof.testing import FakeClock

TOKENS = [f"token {number}" for number in range(1000)]
ATTEMPTS = 4


def runs_of(refusals: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    """Draw how many connections in a row bring nothing, and how much the next one brings."""
    tokens = st.one_of(st.integers(1, 5), st.integers(1, 1000))
    return st.lists(st.tuples(st.integers(0, refusals), tokens), max_size=40)


KINDS = st.lists(st.sampled_from(["cut", "overloaded", "stall"]), min_size=1, max_size=7)


class Sources:
    """Several sources of the same text; the next connection breaks as the script says."""

    def __init__(self, runs: Sequence[tuple[int, int]], kinds: Sequence[str], clock: FakeClock):
        lengths = [length for zeros, count in runs for length in (*repeat(0, zeros), count)]
        self._lengths: Iterator[int] = iter(lengths)
        self._kinds = kinds
        self._clock = clock
        self.connections = 0

    async def by_number(self, *, delivered: Sequence[str] = ()) -> AsyncGenerator[str, None]:
        """Go on after so many tokens."""
        async for token in self._connect(len(delivered)):
            yield token

    async def by_last_token(self, *, delivered: Sequence[str] = ()) -> AsyncGenerator[str, None]:
        """Go on after the token that was the last."""
        begin = TOKENS.index(delivered[-1]) + 1 if delivered else 0
        async for token in self._connect(begin):
            yield token

    async def _connect(self, begin: int) -> AsyncGenerator[str, None]:
        self.connections += 1
        length = next(self._lengths, None)
        for token in TOKENS[begin:] if length is None else TOKENS[begin : begin + length]:
            yield token
        if length == 0 or (length and begin < len(TOKENS)):
            await self._break()  # also where all is told, and only the end is missing

    async def _break(self) -> None:
        match self._kinds[self.connections % len(self._kinds)]:
            case "stall":
                await self._clock.asleep(3600)
            case "overloaded":
                raise ProviderOverloaded(provider="p", retry_after=2)
        raise NetworkError(reason="cut")


async def read(pipeline: Pipeline, source: Call) -> list[str]:
    return [token async for token in pipeline.stream(source)]


@given(runs_of(ATTEMPTS - 1), KINDS)
@settings(deadline=None)
async def test_one_source_breaks_and_all_arrives(
    runs: list[tuple[int, int]], kinds: list[str]
) -> None:
    """Before the first token, between two, several times in a row, and at the very end."""
    with FakeClock() as clock:
        sources = Sources(runs, kinds, clock)
        pipeline = Pipeline(Resume(), Retry(attempts=ATTEMPTS), IdleTimeout(5))
        assert await read(pipeline, sources.by_number) == TOKENS


@given(runs_of(ATTEMPTS - 1), KINDS)
@settings(deadline=None)
async def test_another_source_goes_on_where_one_broke(
    runs: list[tuple[int, int]], kinds: list[str]
) -> None:
    """Each is tried twice: what the one delivered, the other does not repeat."""
    with FakeClock() as clock:
        sources = Sources(runs, kinds, clock)
        each = (Retry(attempts=ATTEMPTS // 2), IdleTimeout(5))
        second = Pipeline(*each, name="second")(sources.by_last_token)
        pipeline = Pipeline(Resume(), Fallback(second), *each)
        assert await read(pipeline, sources.by_number) == TOKENS


@given(runs_of(1), KINDS)
@settings(deadline=None)
async def test_a_failover_goes_on_with_whoever_can(
    runs: list[tuple[int, int]], kinds: list[str]
) -> None:
    """Without any wait: one that asks for a rest is asked last."""
    with FakeClock() as clock:
        sources = Sources(runs, kinds, clock)
        patient = [CircuitBreaker(name, opens_on=ConsecutiveFailures(1000)) for name in "ab"]
        second = Pipeline(IdleTimeout(5), name="b")(sources.by_last_token)
        failover = Failover(
            Target("a", breaker=patient[0]), Target("b", second, breaker=patient[1])
        )
        pipeline = Pipeline(Resume(), failover, IdleTimeout(5))
        assert await read(pipeline, sources.by_number) == TOKENS
