"""What clients notice when the engine's process dies while they stream.

    python benchmarks/deaths.py [--clients 32] [--tokens 96] [--deaths 4] [--seed 1] [flags]

A real server answers the same requests again and again; other flags, as ``--num-blocks 64``, go to
it. Each time but the first, its engine's process is struck at random moments: by SIGKILL, by
SIGSEGV, by SIGSTOP, which leaves it hanging until the step deadline, by requests of which it dies
whenever it reads them, and by all of these. Every stream has to hold what it held undisturbed, and
every poisoned request has to be refused; else the exit status is 1. The table of a run without
options is written beside this file. Needs Linux.
"""

import argparse
import asyncio
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Final

from death_test.client import Heard
from death_test.server import serving
from death_test.storm import REFUSAL, Blow, Outcome, Storm
from engine_peers.machine import describe
from engine_peers.readme import markdown_table, write_section

STEP_DEADLINE: Final = 8
VLLM: Final[dict[str, str]] = {
    Blow.KILL: "all lost; exits with status 0",
    Blow.CRASH: "all lost; exits with status 0",
    Blow.STOP: "nobody gets anything; `/health` says 200",
    Blow.POISON: "not measured",
}
"""vLLM 0.32.0 on the same kind of machine, by hand; see the README."""
HEAD: Final = (
    "struck by",
    "times",
    "processes lost",
    "streams as undisturbed",
    "streams lost",
    "poison refused",
    "longest wait for a piece, s",
    "recovery, median ms",
    "worst ms",
    "vLLM",
)


async def storms(options: argparse.Namespace, flags: Sequence[str]) -> tuple[str, bool]:
    """Return a line for each kind of death, and whether all was well."""
    chance = random.Random(options.seed)
    flags = ["--step-deadline", str(STEP_DEADLINE), *flags]
    lines, well = [], True
    with serving(flags) as server:
        storm = Storm(server, options.clients, options.tokens, chance)
        await storm.run([], 0)  # what the first requests alone pay for
        began = time.perf_counter()
        calm = (await storm.run([], 0)).heard
        seconds = time.perf_counter() - began
        lines.append(["nothing", *["0"] * 2, *[""] * 3, f"{longest_wait(calm):.1f}", *[""] * 3])
        for name, blows in kinds(options.deaths, chance):
            outcome = await storm.run(blows, seconds)
            lines.append([name, *cells(calm, outcome), VLLM.get(name, "")])
            print(*lines[-1], sep=" | ", flush=True)
            well &= same(calm, outcome) == len(calm) and refused(outcome) == len(outcome.poisoned)
    return markdown_table(1, HEAD, lines), well


def kinds(deaths: int, chance: random.Random) -> Iterator[tuple[str, list[Blow]]]:
    """Yield by what to strike: each kind by itself, and all in any order."""
    for blow in Blow:
        yield blow, [blow] * deaths
    every = list(Blow) * -(-deaths // len(Blow))
    yield "all of these", chance.sample(every, len(every))


def cells(calm: Sequence[Heard], outcome: Outcome) -> list[str]:
    """Return what is said of one kind of death."""
    recoveries = [1000 * seconds for seconds in outcome.recoveries]
    return [
        str(outcome.struck),
        str(outcome.deaths),
        f"{same(calm, outcome)} of {len(calm)}",
        str(sum(heard.end != "length" for heard in outcome.heard)),
        f"{refused(outcome)} of {len(outcome.poisoned)}" if outcome.poisoned else "",
        f"{longest_wait(outcome.heard):.1f}",
        f"{statistics.median(recoveries):,.0f}" if recoveries else "",
        f"{max(recoveries):,.0f}" if recoveries else "",
    ]


def same(calm: Sequence[Heard], outcome: Outcome) -> int:
    """Count the streams that hold what they held undisturbed."""
    return sum(a.same_as(b) for a, b in zip(calm, outcome.heard, strict=True))


def refused(outcome: Outcome) -> int:
    """Count the poisoned requests that were refused as such."""
    return sum(heard.end == REFUSAL for heard in outcome.poisoned)


def longest_wait(heard: Sequence[Heard]) -> float:
    """Return for how many seconds a client waited at most."""
    return max(one.longest_wait for one in heard)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--deaths", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    options, flags = parser.parse_known_args()
    table, well = asyncio.run(storms(options, flags))
    machine = f"{describe()}, load average {os.getloadavg()[1]:.0f}"
    text = f"{machine}; {options.clients} clients, {options.tokens} tokens each.\n\n{table}"
    print(text)
    if not well:
        raise SystemExit("some streams differ, or poison was not refused")
    if not sys.argv[1:]:
        write_section("deaths", text)


if __name__ == "__main__":
    main()
