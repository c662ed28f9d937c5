"""What Prometheus reads of all workers, whichever of them is asked.

Each has series of its own, with its number as a label: sums of counters would fall when one dies,
and a worker that follows another begins from zero, as Prometheus expects it of any process.
"""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric

_PATIENCE: Final = 1.0
"""Seconds for the answer of another worker; one that hangs is left out."""

Sample: TypeAlias = tuple[str, dict[str, str], float]


class Family(msgspec.Struct, frozen=True):
    """The samples of a name in one worker.

    Attributes:
        name: Of the series.
        text: What it counts.
        kind: Prometheus's word for that.
        samples: Names, labels and values.
    """

    name: str
    text: str
    kind: str
    samples: list[Sample]


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[Family]).decode


class WorkerSeries:
    """The series of one worker, told to the others, and theirs.

    Args:
        registry: Where this worker's are.
        folder: Where each worker listens for the others, on a socket named for its number.
        number: This worker's.
        count: How many there are.
    """

    def __init__(
        self, registry: CollectorRegistry, folder: Path, *, number: int, count: int
    ) -> None:
        self._registry = registry
        self._own = folder / str(number)
        self._number = number
        self._others = {other: folder / str(other) for other in range(count) if other != number}

    async def run(self) -> None:
        """Tell the others, until cancelled."""
        async with await asyncio.start_unix_server(self._tell, self._own) as server:
            await server.serve_forever()

    async def scrape(self) -> bytes:
        """Return the series of all workers in Prometheus's text format."""
        theirs = await asyncio.gather(*map(_ask, self._others.values()))
        by_worker = dict(zip(self._others, theirs, strict=True))
        return generate_latest(_Joint({**by_worker, self._number: _families(self._registry)}))

    async def _tell(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_encode(_families(self._registry)))
        with suppress(ConnectionError):
            await writer.drain()
        writer.close()


async def _ask(path: Path) -> Sequence[Family]:
    """Return what another worker says; nothing if it is being replaced, or hangs."""
    try:
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                return _decode(await reader.read())
            finally:
                writer.close()
    except (OSError, TimeoutError, msgspec.DecodeError):
        return ()


def _families(registry: CollectorRegistry) -> list[Family]:
    return [
        Family(
            metric.name,
            metric.documentation,
            metric.type,
            [(sample.name, sample.labels, float(sample.value)) for sample in metric.samples],
        )
        for metric in registry.collect()
    ]


class _Joint(CollectorRegistry):
    """The series of several workers, as a registry that is read once."""

    def __init__(self, by_worker: dict[int, Sequence[Family]]) -> None:
        super().__init__()
        self._by_worker = by_worker

    def collect(self) -> Iterable[Metric]:
        """Report every series, each name's together."""
        joint: dict[str, Metric] = {}
        for worker, families in sorted(self._by_worker.items()):
            for family in families:
                metric = joint.setdefault(
                    family.name, Metric(family.name, family.text, family.kind)
                )
                for name, labels, value in family.samples:
                    metric.add_sample(name, {**labels, "worker": str(worker)}, value)
        return joint.values()
