"""Tokens per second of the engine, beside the other engines that are installed.

    python benchmarks/engine.py [--rounds 5] [--engines stormproof,llama]

Every engine is started once and held still while others are measured: each round, all of them get
the same workloads in turn, so that a busy minute of the machine hits all alike. A figure is the
median of the rounds; so is a ratio, which is taken within each round. The table and the plot are
written beside this file; a run of some engines alone is only printed. llama.cpp and vLLM are built
by `engine_peers.install`; what is not found is named at the end.
"""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from engine_peers import NAMES, installed
from engine_peers.bars import draw
from engine_peers.engine import Engine
from engine_peers.machine import describe
from engine_peers.plot import panels
from engine_peers.readme import write_section
from engine_peers.row import Row
from engine_peers.table import ratios, table
from engine_peers.workload import REPEATS, WORKLOADS

PLOT: Final = Path(__file__).with_suffix(".svg")


def run(engines: Sequence[Engine], rounds: int) -> tuple[list[Row], list[str]]:
    """Measure all engines in turn, several times; also name those that did not start."""
    rows: dict[Engine, Row] = {}
    failed = []
    with ExitStack() as started:
        for engine in engines:
            try:
                rows[engine] = started.enter_context(running(engine))
            except RuntimeError as error:
                failed.append(str(error))
        for turn in range(rounds):
            for engine, row in rows.items():
                measure(engine, row)
            print(f"round {turn + 1} of {rounds}", flush=True)
    return list(rows.values()), failed


@contextmanager
def running(engine: Engine) -> Iterator[Row]:
    """Start an engine and hold it still; end it in the end."""
    try:
        row = Row(engine.name, over_http=engine.over_http, start=engine.start())
        engine.answer(WORKLOADS["eight"])  # what the first requests alone pay for
        engine.process.pause()
        yield row
    finally:
        engine.process.stop()


def measure(engine: Engine, row: Row) -> None:
    """Have one engine do everything once, while the others stand still."""
    engine.process.resume()
    for name, requests in WORKLOADS.items():
        for _ in range(REPEATS[name]):
            row.rounds[name].append(engine.answer(requests))
    row.memory = max(row.memory, engine.process.memory())
    engine.process.pause()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--engines", default=",".join(NAMES), help="(%(default)s)")
    options = arguments.parse_args()
    names = options.engines.split(",")
    engines, missing = installed(names)
    rows, failed = run(engines, options.rounds)
    parts = [
        f"{describe()}; {options.rounds} rounds.",
        table(rows),
        ratios(rows),
        f"Left out: {'; '.join(missing + failed) or 'none'}.",
    ]
    text = "\n\n".join(parts)
    print(text)
    if names == list(NAMES):
        write_section("engine", text)
        draw(panels(rows), PLOT)


if __name__ == "__main__":
    main()
