"""What a gateway costs, beside the others that are installed, and beside none.

    python benchmarks/gateway.py [--rounds 3] [--gateways stormproof,litellm]

Every gateway is started once, with one worker on a processor of its own, and held still while
others are measured; the provider behind it and the clients share the other processors. Each round,
all gateways get the same loads in turn. A figure is the median of the rounds; so is a ratio, which
is taken within each round. A load with a request that had no whole answer gives no figures, and
who ends meanwhile is measured no further; the tables say so. They and the plot are written beside
this file; a run of some gateways alone is only printed. LiteLLM and Portkey are installed by
`gateway_peers.install`; what is not found is named at the end. It takes six minutes.
"""

import argparse
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import psutil

from engine_peers.bars import draw
from engine_peers.machine import describe
from engine_peers.readme import write_section
from gateway_peers import NAMES, installed
from gateway_peers.direct import Direct
from gateway_peers.gateway import Gateway, Model
from gateway_peers.load import load
from gateway_peers.plot import panels
from gateway_peers.row import WORKLOADS, Row
from gateway_peers.table import added, ratios, table
from gateway_peers.upstream import Upstream
from stormproof.testing.provider import Answer

PLOT: Final = Path(__file__).with_suffix(".svg")
PICTURE: Final = f"![Requests per second and what they wait for, by gateway]({PLOT.name})"
GATEWAYS: Final = ("stormproof", "reflex", *NAMES[1:])
ANSWERS: Final = {"at-once": Answer(), "paced": Answer(pace=0.01)}
SECONDS: Final = 2.0
"""How long each load lasts."""

LOST: Final = (RuntimeError, OSError, subprocess.SubprocessError, psutil.Error)
"""What is raised when a gateway, or who asks it, has ended."""


def run(gateways: Sequence[Gateway | Direct], rounds: int) -> tuple[list[Row], list[str]]:
    """Measure all gateways in turn, several times; also name those that did not start."""
    first, *others = sorted(os.sched_getaffinity(0))
    rows: dict[Gateway | Direct, Row] = {}
    failed = []
    with ExitStack() as started:
        upstream = started.enter_context(Upstream(others or [first]))
        models = offered(upstream)
        for gateway in gateways:
            print(f"{gateway.name} starts", flush=True)
            try:
                rows[gateway] = started.enter_context(running(gateway, models, [first]))
            except LOST as error:
                failed.append(str(error))
        for turn in range(rounds):
            print(f"round {turn + 1} of {rounds}", flush=True)
            for gateway, row in rows.items():
                if not row.lost:
                    measure_or_lose(gateway, row, models, others or [first])
    failed += [f"{row.name} got lost: {row.lost}" for row in rows.values() if row.lost]
    return list(rows.values()), failed


def offered(upstream: Upstream) -> Mapping[str, Model]:
    """Return the models, each with a second target that is never needed."""
    return {
        name: Model(name, (upstream.script(name, answer), upstream.script(f"{name}-2", answer)))
        for name, answer in ANSWERS.items()
    }


@contextmanager
def running(
    gateway: Gateway | Direct, models: Mapping[str, Model], cores: Sequence[int]
) -> Iterator[Row]:
    """Start a gateway and hold it still; end it in the end."""
    with ExitStack() as stopping:
        gateway.start(list(models.values()), cores)
        stopping.callback(gateway.stop)
        gateway.pause()
        yield Row(gateway.name)


def measure_or_lose(
    gateway: Gateway | Direct, row: Row, models: Mapping[str, Model], cores: Sequence[int]
) -> None:
    """Measure one gateway; one that cannot be is left behind, and the others are measured."""
    try:
        measure(gateway, row, models, cores)
    except LOST as error:
        row.lost = str(error)
        print(f"  {row.name} got lost: {row.lost}", flush=True)
        gateway.stop()


def measure(
    gateway: Gateway | Direct, row: Row, models: Mapping[str, Model], cores: Sequence[int]
) -> None:
    """Ask one gateway in every way, while the others stand still."""
    gateway.resume()
    for workload in WORKLOADS:
        model = models[workload.model]
        wire, port = gateway.request(model, stream=workload.stream), gateway.port(model)
        before = gateway.processor_seconds()
        done = load(port, wire, clients=workload.clients, seconds=SECONDS, cores=cores)
        done.processor = gateway.processor_seconds() - before
        if done.failed or not done.latencies:
            row.faults[workload] = f"{done.failed} of {done.asked} failed"
        row.rounds[workload].append(done)
        print(f"  {row.name}, {workload}: {len(done.latencies)} answers", flush=True)
    row.memory = max(row.memory, gateway.memory())
    gateway.pause()


def report(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the tables."""
    floor, *behind = rows
    yield table(rows)
    yield added(floor, behind)
    ours = [row for row in behind if row.name.startswith("stormproof")]
    for row in ours:
        yield ratios(row, [other for other in behind if other is not row])


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--gateways", default=",".join(GATEWAYS), help="(%(default)s)")
    options = arguments.parse_args()
    names = options.gateways.split(",")
    gateways, missing = installed(names)
    rows, failed = run([Direct(), *gateways], options.rounds)
    parts = [
        f"{describe()}; {options.rounds} rounds.",
        *report(rows),
        f"Left out: {'; '.join(missing + failed) or 'none'}.",
    ]
    text = "\n\n".join(parts)
    print(text)
    if names == list(GATEWAYS):
        draw(panels(rows), PLOT)
        write_section("gateway", f"{PICTURE}\n\n{text}")


if __name__ == "__main__":
    main()
