"""Putting a gateway through one fault."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway_peers.client import connect
from gateway_peers.gateway import Gateway, Model
from gateway_peers.upstream import Upstream
from gateway_peers.verdict import DEGRADED, verdict
from stormproof.testing.provider import Fault

PATIENCE: Final = 30.0
"""Seconds that a client waits."""

_AFTERWARDS: Final = 5.0
"""Seconds in which a gateway may go on for a client who is gone."""

_AT_ONCE: Final = 0.2
"""Seconds after which it should have stopped."""


@dataclass(frozen=True, slots=True)
class Ordeal:
    """How it went.

    Attributes:
        wrong: What a client got instead of the answer; nothing, if all had it.
        seconds: How long each request took; or how long the provider went on for nobody.
        calls: How often each target was called.
    """

    wrong: str
    seconds: Sequence[float]
    calls: Sequence[int]

    @property
    def cell(self) -> str:
        """Tell it in a few words."""
        mark = f"✗ {self.wrong}," if self.wrong else "✓"
        times = "".join(f"{_shown(seconds)} s, " for seconds in self._told())
        return f"{mark} {times}{'+'.join(map(str, self.calls))}"

    def _told(self) -> Sequence[float]:
        """Return the longest time, and of several also the last."""
        return [max(self.seconds), self.seconds[-1]][: len(self.seconds)] if self.seconds else ()


def undergo(gateway: Gateway, fault: Fault, model: Model, upstream: Upstream) -> Ordeal:
    """Ask while it happens."""
    asking = _leave if fault.leaves else _ask
    return asyncio.run(asking(gateway, fault, model, upstream))


async def _ask(gateway: Gateway, fault: Fault, model: Model, upstream: Upstream) -> Ordeal:
    wire = gateway.request(model, stream=fault.stream)
    wrong, seconds = [], []
    for _ in range(fault.requests):
        connection = await connect(gateway.port(model))
        exchange = await connection.ask(wire, PATIENCE)
        connection.close()
        wrong.append(verdict(exchange, stream=fault.stream))
        seconds.append(exchange.seconds)
    good = {"", DEGRADED} if fault.hopeless else {""}
    bad = next((one for one in wrong if one not in good), "")
    return Ordeal(bad, seconds, _calls(fault, upstream))


async def _leave(gateway: Gateway, fault: Fault, model: Model, upstream: Upstream) -> Ordeal:
    wire = gateway.request(model, stream=fault.stream)
    connection = await connect(gateway.port(model))
    await connection.ask(wire, fault.leaves or 0)
    left = time.monotonic()
    await asyncio.sleep(_AFTERWARDS)
    calls = _calls(fault, upstream)
    stopped = upstream.tallies()[f"{fault.name}-0"].abandoned_at
    if stopped is None:
        return Ordeal("not told to stop", (), calls)
    late = "told to stop late" if stopped - left > _AT_ONCE else ""
    return Ordeal("called again" if sum(calls) > 1 else late, [max(stopped - left, 0)], calls)


def offered(fault: Fault, upstream: Upstream) -> Model:
    """Return the model to which it happens."""
    urls = [
        upstream.script(f"{fault.name}-{place}", *steps)
        for place, steps in enumerate(fault.targets)
    ]
    return Model(fault.name, tuple(urls))


def _calls(fault: Fault, upstream: Upstream) -> list[int]:
    tallies = upstream.tallies()
    return [tallies[f"{fault.name}-{place}"].calls for place in range(len(fault.targets))]


def _shown(seconds: float) -> str:
    return f"{seconds:.1f}" if seconds >= 1 else f"{seconds:.3f}"
