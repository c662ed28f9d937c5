"""Asks a gateway as fast as it answers, in a process of its own.

python -m gateway_peers.load PORT CLIENTS SECONDS < request

The request is read from the standard input as it is sent; what came of it is written as JSON.
"""

import asyncio
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Final

import uvloop

from engine_peers.process import BENCHMARKS
from gateway_peers.client import Connection, Exchange, connect
from gateway_peers.gateway import MARK

WARM_UP: Final = 0.3
_PATIENCE: Final = 30.0
_MARK: Final = MARK.encode()
_LETTERS: Final = bytes.maketrans(b"0123456789", b"ghijklmnop")


@dataclass(slots=True)
class Load:
    """What a gateway did in a while; all times are seconds.

    Attributes:
        seconds: How long it was measured.
        latencies: Of each answer.
        firsts: When the first token of each stream came.
        gaps: Between tokens of a stream that came apart.
        events: Of all streams.
        failed: How many requests had no whole answer.
        asked: How many requests were sent, with those to warm up.
        processor: How long the gateway's processors worked for all those.
    """

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    events: int = 0
    failed: int = 0
    asked: int = 0
    processor: float = 0.0

    def add(self, exchange: Exchange) -> None:
        """Count an answer."""
        if not exchange.is_whole:
            self.failed += 1
            return
        self.latencies.append(exchange.seconds)
        if exchange.events:
            arrivals = exchange.arrivals
            self.firsts.append(arrivals[0])
            self.gaps += [after - before for before, after in pairwise(arrivals)]
            self.events += exchange.events


def load(port: int, wire: bytes, *, clients: int, seconds: float, cores: Sequence[int]) -> Load:
    """Have another process, on these cores, ask for a while.

    Raises:
        RuntimeError: It could not.
    """
    arguments = map(str, (port, clients, seconds))
    command = ["taskset", "--cpu-list", ",".join(map(str, cores)), sys.executable]
    done = subprocess.run(
        [*command, "-m", "gateway_peers.load", *arguments],
        input=wire,
        capture_output=True,
        check=False,
        cwd=BENCHMARKS,
        timeout=seconds + 2 * _PATIENCE,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.decode().splitlines()[-1])
    return Load(**json.loads(done.stdout))


async def _ask(port: int, wire: bytes, clients: int, seconds: float) -> Load:
    begun = time.perf_counter() + WARM_UP
    ends = begun + seconds
    exchanges: list[Exchange] = []
    words = _words()

    async def keep_asking() -> None:
        connection = await connect(port)
        while time.perf_counter() < ends:
            own = wire.replace(_MARK, next(words))
            connection, exchange = await _once(connection, port, own)
            exchanges.append(exchange)

    await asyncio.gather(*(keep_asking() for _ in range(clients)))
    result = Load(time.perf_counter() - begun, asked=len(exchanges))
    for exchange in exchanges:  # not before: meanwhile others need the processor
        if exchange.begun + exchange.seconds >= begun:
            result.add(exchange)
    return result


def _words() -> Iterator[bytes]:
    """Yield words as long as the mark, which nobody has used."""
    start = time.monotonic_ns()
    for number in itertools.count(start):
        yield (b"%x" % number)[-len(_MARK) :].translate(_LETTERS)


async def _once(connection: Connection, port: int, wire: bytes) -> tuple[Connection, Exchange]:
    if not connection.is_open:
        connection = await connect(port)
    return connection, await connection.ask(wire, _PATIENCE)


def main() -> None:
    port, clients, seconds = sys.argv[1:]
    wire = sys.stdin.buffer.read()
    result = uvloop.run(_ask(int(port), wire, int(clients), float(seconds)))
    json.dump(asdict(result), sys.stdout)


if __name__ == "__main__":
    main()
