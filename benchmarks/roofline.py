"""How near a step of the engine is to what this machine can do at all.

    python benchmarks/roofline.py

Measured of the machine: how fast memory is read, and how fast matrices are multiplied, by PyTorch.
Counted of the model: the bytes that a step must read, and the operations that it must do. The
larger of the two times is the bound. Measured of the engine: the native step alone, each sequence
one row, with 192 tokens in its cache.
"""

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch

from engine_peers.machine import describe, threads
from engine_peers.native_step import NativeStep
from engine_peers.readme import markdown_table, write_section

CONTEXT: Final = 192
BATCHES: Final = (1, 8, 32)
STEPS: Final = 60
CACHE_NUMBER_BYTES: Final = 2
READ_BYTES: Final = 1 << 30
SIDE: Final = 2048
"""Of the matrices whose product shows the most that the multipliers do."""

BOUND_HEAD: Final = (
    "rows",
    "MB",
    "GOP",
    "memory, ms",
    "multipliers, ms",
    "bound, tokens/s",
    "step, ms",
    "tokens/s",
    "of the bound",
)


@dataclass(frozen=True, slots=True)
class Machine:
    """The most that it does in a second.

    Attributes:
        read: Bytes from memory.
        int8: Operations on integers of 8 bits.
        bfloat16: Operations on these.
    """

    read: float
    int8: float
    bfloat16: float


@dataclass(frozen=True, slots=True)
class Work:
    """What a step has to do.

    Attributes:
        read: Bytes, each once: weights, keys and values.
        weights: Operations of rows on weights.
        attention: Operations of rows on keys and values.
    """

    read: float
    weights: float
    attention: float


def machine() -> Machine:
    numbers = torch.ones(READ_BYTES // 4)
    read = READ_BYTES / best(numbers.sum)
    small = torch.randint(-100, 100, (SIDE, SIDE), dtype=torch.int8)
    large = small.to(torch.bfloat16)
    operations = 2 * SIDE**3
    return Machine(
        read,
        operations / best(lambda: torch._int_mm(small, small)),
        operations / best(lambda: large @ large),
    )


def best(call: Callable[[], object], repeats: int = 10) -> float:
    """Return the seconds of the fastest of some calls."""
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def work(step: NativeStep, batch: int) -> Work:
    config, matrices = step.config, step.matrices
    sizes = [(matrix.format, matrix.rows, matrix.cols) for matrix in matrices]
    weights = sum(step.library.packed_bytes(*size) for size in sizes)
    cached = 2 * config.layers * config.kv_heads * config.head_dim * CACHE_NUMBER_BYTES
    parameters = sum(rows * cols for _, rows, cols in sizes)
    attended = 4 * CONTEXT * config.layers * config.heads * config.head_dim
    return Work(weights + batch * CONTEXT * cached, 2 * parameters * batch, attended * batch)


def measure(step: NativeStep, batch: int) -> tuple[float, dict[str, float]]:
    """Return the seconds of a step, and of each of its phases."""
    rng = random.Random(0)
    for number in range(batch):
        prompt = [rng.randint(100, 10_000) for _ in range(CONTEXT)]
        step.read({number: prompt}, context=CONTEXT, drawn=1)
    rows = {number: [rng.randint(100, 10_000)] for number in range(batch)}
    taken, spent = [], []
    step.times()
    for _ in range(STEPS):
        begun = time.perf_counter()
        step.read(rows, context=CONTEXT, drawn=1)
        taken.append(time.perf_counter() - begun)
        spent.append(step.times())
    phases = {name: statistics.median(one[name] for one in spent) / 1e9 for name in spent[0]}
    return statistics.median(taken), phases


def report(limits: Machine, step: NativeStep) -> str:
    measured = {batch: measure(step, batch) for batch in BATCHES}
    lines = [
        bound_cells(limits, work(step, batch), batch, took) for batch, (took, _) in measured.items()
    ]
    phases = [
        [str(batch), *(f"{spent * 1e3:.2f}" for spent in phases.values())]
        for batch, (_, phases) in measured.items()
    ]
    names = [f"{name}, ms" for name in measured[1][1]]
    most = (
        f"{describe()}: {limits.read / 1e9:.0f} GB/s read, {limits.int8 / 1e9:.0f} GOP/s int8, "
        f"{limits.bfloat16 / 1e9:.0f} GFLOP/s bfloat16; kernels for {step.library.kernels}."
    )
    tables = markdown_table(0, BOUND_HEAD, lines), markdown_table(0, ["rows", *names], phases)
    return "\n\n".join((most, *tables))


def bound_cells(limits: Machine, needed: Work, batch: int, took: float) -> list[str]:
    memory = needed.read / limits.read
    multipliers = needed.weights / limits.int8 + needed.attention / limits.bfloat16
    bound = max(memory, multipliers)
    return [
        f"{batch}",
        f"{needed.read / 1e6:.0f}",
        f"{(needed.weights + needed.attention) / 1e9:.2f}",
        f"{memory * 1e3:.2f}",
        f"{multipliers * 1e3:.2f}",
        f"{batch / bound:,.0f}",
        f"{took * 1e3:.2f}",
        f"{batch / took:,.0f}",
        f"{bound / took:.0%}",
    ]


def main() -> None:
    torch.set_num_threads(threads())
    limits = machine()
    text = report(limits, NativeStep(max(BATCHES), CONTEXT))
    print(text)
    write_section("roofline", text)


if __name__ == "__main__":
    main()
