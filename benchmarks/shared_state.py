"""What state shared through a real Redis costs, and what becomes of calls when Redis is killed.

    python benchmarks/shared_state.py

Needs redis-server on the path. Every figure is the median of the rounds; a call includes its round
trips to Redis over a socket on this machine.
"""

import asyncio
import logging
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import limits
import limits.storage
import pybreaker
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from stormproof.recovery import CircuitBreaker, FailureRate, Pipeline, RateLimit
from stormproof.recovery.redis import RedisStore

ROUNDS: Final = 7
CALLS: Final = 300
OUTAGE_CALLS: Final = 50
PATIENCE: Final = 20.0
"""Seconds after which no further call is made to a library that does not come back."""
PLENTY: Final = 1_000_000


class Row(NamedTuple):
    """A guarded call whose state is in Redis."""

    what: str
    who: str
    call: Callable[[], Any]
    is_async: bool = False


def ok() -> int:
    return 1


async def aok() -> int:
    return 1


class Server:
    """A Redis that keeps nothing on disk."""

    def __init__(self, directory: Path) -> None:
        self.socket: Final = directory / "socket"
        self.client: Final = Redis(unix_socket_path=str(self.socket))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = shutil.which("redis-server") or "redis-server"
        arguments = [program, "--port", "0", "--unixsocket", str(self.socket), "--save", ""]
        self._process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
        while True:
            try:
                self.client.ping()
            except RedisConnectionError:
                time.sleep(0.01)
            else:
                return

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def redis_server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as directory:
        server = Server(Path(directory))
        server.start()
        try:
            yield server
        finally:
            server.kill()


def rows(server: Server) -> Iterator[Row]:
    store = RedisStore(f"unix://{server.socket}")
    breaker = Pipeline(CircuitBreaker("a", opens_on=FailureRate(), store=store))
    limit = Pipeline(RateLimit("b", permits=PLENTY, store=store))
    for what, guard in (("rate limit", limit), ("breaker", breaker)):
        yield Row(what, "stormproof", guard(ok))
        yield Row(what, "stormproof", guard(aok), is_async=True)
    yield from (Row("rate limit", who, hit) for who, hit in hits(server))
    yield Row("breaker", "pybreaker, failures in a row", peer_breaker(server)(ok))


def hits(server: Server) -> Iterator[tuple[str, Callable[[], Any]]]:
    storage = limits.storage.RedisStorage(f"redis+unix://{server.socket}")
    item = limits.RateLimitItemPerSecond(PLENTY)
    strategies = limits.strategies
    for who, strategy in (
        ("limits, fixed window", strategies.FixedWindowRateLimiter(storage)),
        ("limits, sliding window", strategies.SlidingWindowCounterRateLimiter(storage)),
    ):
        yield who, lambda strategy=strategy: strategy.hit(item, "k")


def peer_breaker(server: Server) -> pybreaker.CircuitBreaker:
    storage = pybreaker.CircuitRedisStorage(pybreaker.STATE_CLOSED, server.client, "bench")
    return pybreaker.CircuitBreaker(fail_max=5, state_storage=storage)


async def measure(row: Row) -> float:
    """Return microseconds per call."""
    begun = time.perf_counter()
    for _ in range(CALLS):
        result = row.call()
        if row.is_async:
            await result
    return (time.perf_counter() - begun) / CALLS * 1e6


async def show_costs(server: Server) -> None:
    measured = list(rows(server))
    figures = {row: [await measure(row) for _ in range(ROUNDS)] for row in measured}
    print("| state in Redis | who | sync µs | async µs |")
    print("|---|---|---:|---:|")
    for of in dict.fromkeys((row.what, row.who) for row in measured):
        cells = {row.is_async: statistics.median(figures[row]) for row in measured if row[:2] == of}
        shown = [f"{cells[one]:.0f}" if one in cells else "" for one in (False, True)]
        print(f"| {' | '.join((*of, *shown))} |")


def show_outage(server: Server) -> None:
    """Kill Redis, make calls, bring it back, make one more."""
    print(f"\nAt most {OUTAGE_CALLS} calls while Redis is killed:\n")
    print("| state in Redis | who | failed | slowest ms | when it is back |")
    print("|---|---|---:|---:|---|")
    for row in [row for row in rows(server) if not row.is_async]:
        row.call()
        server.kill()
        took, failed = [], 0
        for _ in range(OUTAGE_CALLS):
            begun = time.perf_counter()
            failed += fails(row.call)
            took.append(time.perf_counter() - begun)
            if sum(took) > PATIENCE:
                break
        server.start()
        time.sleep(1.1)
        back = "fails" if fails(row.call) else "works"
        print(
            f"| {row.what} | {row.who} | {failed} of {len(took)} | {max(took) * 1e3:.1f} | {back} |"
        )


def fails(call: Callable[[], Any]) -> bool:
    try:
        call()
    except Exception:  # noqa: BLE001 - whatever a library raises
        return True
    return False


def main() -> None:
    logging.disable(logging.CRITICAL)
    if shutil.which("redis-server") is None:
        print("redis-server is not installed: nothing is measured")
        return
    with redis_server() as server:
        asyncio.run(show_costs(server))
        show_outage(server)


if __name__ == "__main__":
    main()
