"""What a gateway holds while it works: memory, descriptors, tasks."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import httpx2

from engine_peers.process import EngineProcess

_SERIES: Final = re.compile(r"^(\w+)(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen once.

    Attributes:
        minutes: Since the beginning.
        memory: Bytes that it shares with nobody.
        descriptors: Open files and sockets.
        tasks: Of its event loop.
        in_flight: Requests that it is serving, this question apart.
        requests: That were answered so far.
        processor: Seconds that processors worked for it so far.
    """

    minutes: float
    memory: int
    descriptors: int
    tasks: int
    in_flight: int
    requests: int
    processor: float


class Watch:
    """Looks at a gateway.

    Args:
        process: The gateway.
        url: Where it listens.
        answered: How many requests were answered so far.
    """

    def __init__(self, process: EngineProcess, url: str, answered: Callable[[], int]) -> None:
        self._process = process
        self._url = url
        self._answered = answered
        self._begun = time.monotonic()

    async def look(self) -> Sample:
        """Return what is to be seen now."""
        series = await self._series()
        return Sample(
            minutes=(time.monotonic() - self._begun) / 60,
            memory=self._process.own_memory(),
            descriptors=self._process.descriptors(),
            tasks=int(series["stormproof_tasks"]),
            in_flight=int(series["stormproof_http_requests_in_flight"]) - 1,
            requests=self._answered(),
            processor=self._process.processor_seconds(),
        )

    async def quiet(self, patience: float) -> Sample:
        """Return what is to be seen when nothing is served any more, or after ``patience``."""
        until = time.monotonic() + patience
        while (sample := await self.look()).in_flight and time.monotonic() < until:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
        return sample

    async def _series(self) -> Mapping[str, float]:
        async with httpx2.AsyncClient(timeout=60) as client:
            text = (await client.get(f"{self._url}/metrics")).text
        return {name: float(value) for name, value in _SERIES.findall(text)}
