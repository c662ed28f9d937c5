"""What a guarded call costs, beside the peers that are installed.

    python benchmarks/recovery.py [--rounds 7] [--plot benchmarks/recovery.svg]

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
from pathlib import Path
from typing import Final

from recovery_peers import installed
from recovery_peers.plot import draw
from recovery_peers.row import FAR, Row, both
from recovery_peers.stormproof import nested_rows
from stormproof.recovery import Deadline, Pipeline

BLOCK_SECONDS: Final = 0.01
BLOCKS: Final = 5
PLOT: Final = Path(__file__).with_suffix(".svg")

Figures = dict[tuple[str, str], dict[bool, list[float]]]
"""Nanoseconds of each round, by group, library and whether the call is awaited."""


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


async def run(rounds: int) -> tuple[list[Row], list[str]]:
    """Measure every library there is; return the rows, and the names of the others."""
    modules, missing = installed()
    rows = [*both("bare call", "python", lambda fn: fn)]
    for module in modules:
        rows += module.rows()
    gc.collect()
    gc.freeze()
    await measure_all(rows, rounds)
    nested = list(nested_rows())
    await Pipeline(Deadline(FAR / 2)).acall(measure_all, nested, rounds)
    return rows + nested, missing


def collect(rows: list[Row]) -> Figures:
    """Put sync and async figures of the same thing together, groups in order."""
    figures: Figures = {}
    for group in dict.fromkeys(row.group for row in rows):
        for row in rows:
            if row.group == group:
                figures.setdefault((group, row.who), {})[row.is_async] = row.figures
    return figures


def show(figures: Figures) -> None:
    """Print the table, as Markdown."""
    print("| guarded call | who | sync ns | async ns |")
    print("|---|---|---:|---:|")
    for (group, who), cells in figures.items():
        print(f"| {group} | {who} | {cell(cells.get(False))} | {cell(cells.get(True))} |")


def cell(rounds: list[float] | None) -> str:
    if rounds is None:
        return ""
    middle = statistics.median(rounds)
    return f"{middle:,.0f} ±{(max(rounds) - min(rounds)) / middle / 2:.0%}"


def show_ratios(figures: Figures) -> None:
    """Print our best figure of each group over the best of the others."""
    print("\n| compared with the nearest peer | sync | async |")
    print("|---|---:|---:|")
    for group in dict.fromkeys(group for group, _ in figures):
        ratios = [ratio(figures, group, is_async=is_async) for is_async in (False, True)]
        if any(ratios):
            print(f"| {group} | {' | '.join(ratios)} |")


def ratio(figures: Figures, group: str, *, is_async: bool) -> str:
    ours, theirs = [], []
    for (of, who), cells in figures.items():
        if of == group and is_async in cells:
            (ours if who.startswith("stormproof") else theirs).append(
                statistics.median(cells[is_async])
            )
    return f"{min(ours) / min(theirs):.2f}" if ours and theirs else ""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument(
        "--plot", type=Path, default=PLOT, help="where to draw it, as SVG (%(default)s)"
    )
    options = arguments.parse_args()
    logging.disable(logging.CRITICAL)
    rows, missing = asyncio.run(run(options.rounds))
    figures = collect(rows)
    print(f"Python {platform.python_version()}, {platform.machine()}, {options.rounds} rounds\n")
    show(figures)
    show_ratios(figures)
    print(f"\nnot installed: {', '.join(missing) or 'none'}")
    draw(figures, options.plot)


if __name__ == "__main__":
    main()
