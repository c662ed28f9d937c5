"""Load on a gateway at half its strength, with everything behind it going wrong that may.

    python benchmarks/gateway_soak.py --minutes 30 [--rate 200]

Clients come at random, each with a request that is nobody else's: whole, streamed, with tools,
through Anthropic's API, texts to continue and to embed; some leave before they have their answer.
Behind the gateway one call in ten fails, in thirteen ways, and now and then it is told to read its
settings again. Every answer is compared with what was said, word by word, and both sides are
counted: each request has one end, and each attempt was one call. Memory must not grow, and at the
end no task, request or descriptor may be left; else the exit status is 1. A run of half an hour is
published in the README.
"""

import argparse
import asyncio
import random
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import uvloop

from engine_peers.machine import describe
from engine_peers.process import EngineProcess
from engine_peers.readme import write_section
from gateway_soaking.ledger import Ledger
from gateway_soaking.load import Load
from gateway_soaking.questions import MODEL, SHARES
from gateway_soaking.upstream import DEADLINE, Storm, targets, write_settings
from gateway_soaking.verdict import Soak
from gateway_soaking.watching import Sample, Watch
from stormproof.testing.provider import ScriptedProvider

MINUTES: Final = 30
SAMPLES: Final = 40
CLIENTS: Final = 64
"""Who measure the peak."""

PEAK_SECONDS: Final = 3.0
RELOADS: Final = 12
"""How often the settings are read again."""

EXPECTED: Final = ("Listening on", "circuit opened", "settings")
"""What lines of the log may be about."""

_LISTENING: Final = re.compile(r"Listening on (http://\S+:(\d+))")


class Gateway(NamedTuple):
    """A gateway that listens.

    Attributes:
        process: Its process.
        url: Where.
        port: The same.
    """

    process: EngineProcess
    url: str
    port: int


@asynccontextmanager
async def serving(settings: Path) -> AsyncIterator[Gateway]:
    """Run a gateway with these settings."""
    command = [sys.executable, "-m", "stormproof.cli", "serve", f"--config={settings}"]
    process = EngineProcess("soak", [*command, "--port=0", "--log-level=error"], {})
    try:
        while not (found := _LISTENING.search(process.log.read_text())):
            process.check()
            await asyncio.sleep(0.1)
        yield Gateway(process, found[1], int(found[2]))
    finally:
        process.stop()


async def watched(watch: Watch, seconds: float) -> list[Sample]:
    """Look now and then, for so long."""
    samples = []
    for _ in range(SAMPLES):
        await asyncio.sleep(seconds / SAMPLES)
        samples.append(await watch.look())
    return samples


async def reloaded(gateway: Gateway, settings: Path, seconds: float) -> None:
    """Have the settings read again now and then, for so long."""
    good = settings.read_text()  # noqa: ASYNC240 - it has some lines
    for variant in variants(good, RELOADS):
        await asyncio.sleep(seconds / RELOADS)
        settings.write_text(variant)  # noqa: ASYNC240
        gateway.process.signal(signal.SIGHUP)


def variants(good: str, times: int) -> Iterator[str]:
    """Yield a file again and again: broken, with another deadline, with one more model."""
    [model] = re.findall(rf"^\[models\.{MODEL}\]\n[^\[]*.*$", good, re.MULTILINE)
    more = model.replace(MODEL, f"{MODEL}-more")
    for turn in range(times):
        later = good.replace(f"deadline = {DEADLINE}", f"deadline = {DEADLINE + turn}")
        yield [f"{good}[models", later, f"{later}{more}\n"][turn % 3]


def failures(log: Path) -> Iterator[str]:
    """Yield the lines of a log about failures that a storm does not explain."""
    for line in log.read_text().splitlines():
        if not any(expected in line for expected in EXPECTED):
            yield line


async def soak(options: argparse.Namespace) -> tuple[Soak, float, float]:
    """Run it; return what was seen, the peak, and the rate."""
    seconds, chance = options.minutes * 60, random.Random(options.seed)
    ledger = Ledger()
    storm = Storm(ledger, options.seed)
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder, "stormproof.toml")
        async with ScriptedProvider() as provider:
            write_settings(settings, targets(provider, storm))
            async with serving(settings) as gateway:
                watch = Watch(gateway.process, gateway.url, ledger.outcomes.total)
                before = await watch.look()
                load = Load(
                    gateway.port,
                    ledger,
                    list(SHARES),
                    chance,
                )
                peak = await load.peak(CLIENTS, PEAK_SECONDS)
                rate, storm.rages = options.rate or peak / 2, True
                print(f"peak {peak:.0f} requests/s, now {rate:.0f}", flush=True)
                samples, *_ = await asyncio.gather(
                    watched(watch, seconds),
                    reloaded(gateway, settings, seconds),
                    load.run(rate, seconds),
                )
                load.close()
                after = await watch.quiet(patience=20)
                logged = [*failures(gateway.process.log)]
                done = Soak(ledger, before, samples, after, provider.connections, RELOADS, logged)
    return done, peak, rate


def main() -> int:
    """Run it, publish what was seen, and judge it."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--minutes", type=float, default=MINUTES)
    arguments.add_argument("--rate", type=float, help="requests a second (half the peak)")
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()
    done, peak, rate = uvloop.run(soak(options))
    problems = list(done.problems())
    load = f"{rate:.0f} requests a second for {options.minutes:g} minutes; the peak was {peak:.0f}"
    text = f"{describe()}; {load}.\n\n{done.table()}\n\n{'; '.join(problems) or 'All is well.'}"
    print(text)
    if options.minutes >= MINUTES:
        write_section("gateway soak", text)
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
