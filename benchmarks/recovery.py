"""What a guarded call costs, beside the peers that are installed.

    python benchmarks/recovery.py [--rounds 7]

Every row is a function that makes one guarded call of a function that returns 1. All rows are
measured in turn, several rounds of them, so that a busy moment of the machine hits all alike; a
row's figure is the median of its rounds, a round's figure the best of its blocks of about 10 ms,
and the spread is that between the rounds. The garbage collector stays on: garbage is part of what
a library costs. Figures include the bare call. A peer that is not installed is named at the end.
"""

import argparse
import asyncio
import gc
import logging
import platform
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from stormproof.errors import NetworkError
from stormproof.recovery import (
    Bulkhead,
    CircuitBreaker,
    ConsecutiveFailures,
    Deadline,
    FailureRate,
    Fallback,
    Pipeline,
    RateLimit,
    Retry,
    RetryBudget,
)

BLOCK_SECONDS = 0.01
BLOCKS = 8
FAR = 86_400
PLENTY = 1_000_000  # calls at once: more than are made while one row is measured


class Boom(Exception):
    """A failure that no library knows."""


@dataclass
class Row:
    """One line of the table.

    Attributes:
        group: What is compared.
        who: Whose figure it is.
        call: Makes one guarded call.
        is_async: Whether it has to be awaited.
        attempts: How many retried attempts are in one call, where that is what is measured.
        minus: The call without retried attempts, whose cost is taken off.
    """

    group: str
    who: str
    call: Callable[[], Any]
    is_async: bool = False
    attempts: int = 1
    minus: "Row | None" = None
    figures: list[float] = field(default_factory=list)


def ok() -> int:
    return 1


async def aok() -> int:
    return 1


def swallow(call: Callable[[], Any]) -> Callable[[], Any]:
    def swallowing() -> None:
        try:  # noqa: SIM105 - suppress() would be measured too
            call()
        except Exception:  # noqa: BLE001, S110 - a rejection is what is measured
            pass

    return swallowing


def failing_twice(make: Callable[[], Exception]) -> Callable[[], int]:
    """Two of three calls fail: a guarded call is three attempts, two of them retried."""
    failing = cycle((True, True, False))

    def call() -> int:
        if next(failing):
            raise make()
        return 1

    return call


def afailing_twice(make: Callable[[], Exception]) -> Callable[[], Awaitable[int]]:
    failing = cycle((True, True, False))

    async def call() -> int:
        if next(failing):
            raise make()
        return 1

    return call


def both(group: str, who: str, guard: Callable[[Any], Any]) -> Iterator[Row]:
    """Measure a guard around a sync function and around a coroutine function."""
    yield Row(group, who, guard(ok))
    yield Row(group, who, guard(aok), is_async=True)


def retried(who: str, guard: Callable[[Any], Any], make: Callable[[], Exception]) -> Iterator[Row]:
    """Measure a retried attempt, without any wait."""
    group = "one retried attempt, no wait"
    plain, aplain = Row("", "", guard(ok)), Row("", "", guard(aok), is_async=True)
    yield Row(group, who, guard(failing_twice(make)), attempts=2, minus=plain)
    yield Row(group, who, guard(afailing_twice(make)), is_async=True, attempts=2, minus=aplain)


def rate_breaker() -> CircuitBreaker:
    return CircuitBreaker("dependency", opens_on=FailureRate())


def rows_bare() -> Iterator[Row]:
    yield from both("bare call", "python", lambda fn: fn)


def rows_stormproof() -> Iterator[Row]:
    yield from both("retry", "stormproof", Pipeline(Retry()))
    yield from both("retry", "stormproof, with a budget", Pipeline(Retry(budget=RetryBudget())))
    yield from both("breaker", "stormproof, failures in a row", Pipeline(CircuitBreaker("d")))
    yield from both("breaker", "stormproof, rate in a window", Pipeline(rate_breaker()))
    yield from both("fallback", "stormproof", Pipeline(Fallback(value=0)))
    yield from both("bulkhead", "stormproof", Pipeline(Bulkhead("d", limit=10)))
    yield from both("rate limit", "stormproof", Pipeline(RateLimit("d", permits=PLENTY)))
    stack = Pipeline(Deadline(30), Retry(), rate_breaker())
    yield Row("deadline + retry + breaker", "stormproof", stack(ok))
    yield Row("deadline (enforced) + retry + breaker", "stormproof", stack(aok), is_async=True)
    yield Row("deadline (enforced)", "stormproof", Pipeline(Deadline(30))(aok), is_async=True)
    rejecting = CircuitBreaker("d", opens_on=ConsecutiveFailures(1), open_for=FAR)
    guarded = Pipeline(rejecting)(failing_twice(Boom))
    swallow(guarded)()
    yield Row("rejection by an open circuit", "stormproof", swallow(guarded))
    mine = Pipeline(Retry(initial_delay=0))
    yield from retried("stormproof, its own error", mine, lambda: NetworkError(reason="cut"))
    foreign = Pipeline(Retry(initial_delay=0, retry_on=Boom))
    yield from retried("stormproof, a foreign error", foreign, Boom)


def rows_nopanic() -> Iterator[Row]:
    import nopanic as n  # noqa: PLC0415 - it may not be installed

    yield from both("retry", "nopanic", n.retry(attempts=3, on=Boom))
    yield from both("breaker", "nopanic, rate in a window", n.circuit_breaker())
    yield from both("fallback", "nopanic", n.fallback(0))
    yield from both("bulkhead", "nopanic", n.bulkhead(10))
    yield from both("rate limit", "nopanic", n.rate_limit(PLENTY))
    stack = n.compose(n.deadline(30), n.retry(attempts=3, on=Boom), n.circuit_breaker())
    yield from both("deadline + retry + breaker", "nopanic", stack)
    timed = n.compose(n.timeout(30), n.retry(attempts=3, on=Boom), n.circuit_breaker())
    yield Row("deadline (enforced) + retry + breaker", "nopanic", timed(aok), is_async=True)
    yield Row("deadline (enforced)", "nopanic", n.timeout(30)(aok), is_async=True)
    breaker = n.circuit_breaker()
    breaker.force_open()
    yield Row("rejection by an open circuit", "nopanic", swallow(breaker(ok)))
    yield from retried("nopanic", n.retry(attempts=3, on=Boom, backoff=0.0), Boom)


def rows_tenacity() -> Iterator[Row]:
    import tenacity as t  # noqa: PLC0415 - it may not be installed

    stop = t.stop_after_attempt(3)
    yield from both("retry", "tenacity", t.retry(stop=stop, reraise=True))
    no_wait = t.retry(stop=stop, wait=t.wait_none(), reraise=True)
    yield from retried("tenacity", no_wait, Boom)


def rows_stamina() -> Iterator[Row]:
    import stamina  # noqa: PLC0415 - it may not be installed

    stamina.instrumentation.set_on_retry_hooks([])
    logging.getLogger("stamina").propagate = False
    yield from both("retry", "stamina", stamina.retry(on=Boom, attempts=3, timeout=None))
    no_wait = stamina.retry(
        on=Boom, attempts=3, timeout=None, wait_initial=0, wait_max=0, wait_jitter=0
    )
    yield from retried("stamina", no_wait, Boom)


def inherited_rows() -> list[Row]:
    """Make the rows of calls inside an outer deadline: theirs is checked, and sets no timer."""
    stack = Pipeline(Deadline(FAR), Retry(), rate_breaker())
    return [Row("deadline + retry + breaker", "stormproof, nested", stack(aok), is_async=True)]


def time_block(row: Row, count: int) -> float:
    call = row.call
    begun = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - begun) / count * 1e9


async def atime_block(row: Row, count: int) -> float:
    call = row.call
    begun = time.perf_counter()
    for _ in range(count):
        await call()
    took = time.perf_counter() - begun
    await asyncio.sleep(0)  # lets the loop forget the timers that were called off
    return took / count * 1e9


async def block(row: Row, count: int) -> float:
    return await atime_block(row, count) if row.is_async else time_block(row, count)


async def measure(row: Row) -> float:
    """Return nanoseconds per call: the best of several blocks."""
    once = await block(row, 10)
    count = max(int(BLOCK_SECONDS * 1e9 / max(once, 1)), 10)
    return min([await block(row, count) for _ in range(BLOCKS)])


async def measure_all(rows: list[Row], rounds: int) -> None:
    for _ in range(rounds):
        for row in rows:
            spent = await measure(row)
            if row.minus is not None:
                spent = (spent - await measure(row.minus)) / row.attempts
            row.figures.append(spent)


def installed_rows() -> tuple[list[Row], list[str]]:
    """Return the rows of every library there is, and the names of the others."""
    rows, missing = [], []
    for make in (rows_bare, rows_stormproof, rows_nopanic, rows_stamina, rows_tenacity):
        try:
            rows += list(make())
        except ImportError as error:
            missing.append(str(error.name))
    return rows, missing


def show(rows: list[Row]) -> None:
    """Print the table, as Markdown."""
    print("| guarded call | who | sync ns | async ns |")
    print("|---|---|---:|---:|")
    figures: dict[tuple[str, str], dict[bool, str]] = {}
    for row in rows:
        figures.setdefault((row.group, row.who), {})[row.is_async] = figure(row)
    for group in dict.fromkeys(row.group for row in rows):
        for (of, who), cells in figures.items():
            if of == group:
                print(f"| {group} | {who} | {cells.get(False, '')} | {cells.get(True, '')} |")


def figure(row: Row) -> str:
    middle = statistics.median(row.figures)
    spread = (max(row.figures) - min(row.figures)) / middle
    return f"{middle:,.0f} ±{spread / 2:.0%}"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=7)
    rounds: int = arguments.parse_args().rounds
    rows, missing = installed_rows()
    gc.collect()
    gc.freeze()

    async def outermost() -> None:
        await measure_all(rows, rounds)
        nested = inherited_rows()
        await Pipeline(Deadline(FAR / 2)).acall(measure_all, nested, rounds)
        rows.extend(nested)

    asyncio.run(outermost())
    print(f"Python {platform.python_version()}, {platform.machine()}, {rounds} rounds\n")
    show(rows)
    print(f"\nnot installed: {', '.join(missing) or 'none'}")


if __name__ == "__main__":
    main()
