"""Random load on an engine, with everything going wrong that may, for as long as it is told.

    python benchmarks/soak.py --minutes 60

Requests of all kinds arrive at random: long and short, greedy and sampled, held to grammars, urgent
and not, with deadlines, some given up half-way, some poisoned. Steps fail in company, and memory
runs out. Memory must end where it was after the first fifth, throughput as well, no request may end
in a way that it should not, and every block must be free; else the exit status is 1.

Throughput is counted by processor seconds of this process, not by those of the clock: what else the
machine does meanwhile says nothing about the engine.
"""

import argparse
import asyncio
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stormproof.engine import (
    AsyncLLM,
    Draw,
    EngineConfig,
    EngineCore,
    Grammar,
    ModelRunner,
    Sampled,
    SamplingParams,
    StepBatch,
)
from stormproof.engine.start import load_model
from stormproof.errors import OutOfMemory, StormproofError, TensorError
from stormproof.recovery import Deadline, Pipeline, Priority, prioritized
from stormproof.weights import ModelLibrary

CLIENTS: Final = 40
SAMPLES: Final = 20
WORDS: Final = (
    "rain",
    "storm",
    "sea",
    "the",
    "and",
    "home",
    "light",
    "once",
    "of",
    "in",
    "to",
    "is",
)
BEGINNINGS: Final = ("The storm came at night. " * 8, "Once upon a time in the rain, " * 12)
"""What prompts may share."""

GRAMMARS: Final = [None] * 6 + [Grammar.regex("[a-z ]{5,40}"), Grammar.regex("(yes|no)( indeed)*")]
POISON: Final = 7
"""A token that no prompt of words has, and that the runner does not survive."""

EXPECTED: Final = {
    "stop",
    "length",
    "given up",
    "TensorError",
    "DeadlineExceeded",
    "CapacityExceeded",
    "ContextTooLong",
}
"""How requests may end."""

PAGE: Final = 4096
LEAST_SHARE: Final = 0.7
MOST_GROWTH: Final = 1.05


def resident_mb() -> float:
    """Return how much memory this process takes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6


class FaultyRunner:
    """A runner whose steps fail now and then, and whenever they read poison."""

    def __init__(self, runner: ModelRunner, chance: random.Random) -> None:
        self.config = runner.config
        self._runner = runner
        self._chance = chance

    def step(
        self, batch: StepBatch, draws: Sequence[Sequence[Draw]]
    ) -> Sequence[Sequence[Sampled | TensorError]]:
        if POISON in batch.token_ids:
            raise TensorError(reason="poison")
        luck = self._chance.random()
        if luck < 0.002 and len(batch.token_ids) > 1:
            raise OutOfMemory(device="cpu")
        if luck < 0.004 and len(batch.query_lengths) > 1:
            raise ZeroDivisionError
        return self._runner.step(batch, draws)


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen in one stretch of the run."""

    minutes: float
    resident_mb: float
    tokens_per_processor_second: float
    requests: int
    free_blocks: int


class Soak:
    """Clients that ask until the time is over, and an eye on the engine."""

    def __init__(self, llm: AsyncLLM, seconds: float, chance: random.Random) -> None:
        self.ends: Counter[str] = Counter()
        self._llm = llm
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._chance = chance

    async def run(self) -> list[Sample]:
        """Return what was seen, stretch by stretch."""
        clients = [asyncio.create_task(self._client()) for _ in range(CLIENTS)]
        samples = [await self._sample(number + 1) for number in range(SAMPLES)]
        await asyncio.gather(*clients)
        return samples

    async def _sample(self, number: int) -> Sample:
        before, started = self._llm.stats(), time.process_time()
        await asyncio.sleep(self._seconds / SAMPLES)
        after = self._llm.stats()
        tokens = after.generated_tokens - before.generated_tokens
        rate = tokens / (time.process_time() - started)
        return Sample(
            minutes=number * self._seconds / SAMPLES / 60,
            resident_mb=resident_mb(),
            tokens_per_processor_second=rate,
            requests=self.ends.total(),
            free_blocks=after.free_blocks,
        )

    async def _client(self) -> None:
        while time.monotonic() < self._until:
            try:
                with prioritized(self._chance.choice(list(Priority))):
                    end = await self._guarded()
            except StormproofError as error:
                end = type(error).__name__
                await asyncio.sleep(min(error.retry_after or 0, 0.2))
            self.ends[end] += 1

    async def _guarded(self) -> str:
        if self._chance.random() < 0.9:
            return await self._ask()
        deadline = Deadline(self._chance.uniform(0.05, 5))
        return await Pipeline(deadline).acall(self._ask)

    async def _ask(self) -> str:
        """Ask for an answer, and give it up in the middle now and then; returns how it ended."""
        leave = self._chance.choice([None, None, None, self._chance.randint(1, 20)])
        async with aclosing(self._llm.stream(self._prompt(), self._params())) as pieces:
            async for piece in pieces:
                if piece.finish_reason:
                    return piece.finish_reason.value
                if leave and piece.completion_tokens >= leave:
                    break
        return "given up"

    def _prompt(self) -> list[int]:
        words = self._chance.choices(WORDS, k=int(self._chance.expovariate(1 / 60)) + 1)
        beginning = self._chance.choice(("", "", *BEGINNINGS))
        prompt = self._llm.tokenizer.prompt(beginning + " ".join(words))
        return [*prompt, POISON] if self._chance.random() < 0.01 else prompt

    def _params(self) -> SamplingParams:
        chance = self._chance
        return SamplingParams(
            temperature=chance.choice([0, 0.7, 1]),
            top_p=chance.choice([0.9, 1]),
            frequency_penalty=chance.choice([0, 0, 0.5]),
            max_tokens=int(chance.expovariate(1 / 100)) + 1,
            stop=chance.choice([(), (), ("storm",)]),
            logprobs=chance.choice([None, None, 3]),
            grammar=chance.choice(GRAMMARS),
        )


def main() -> int:
    """Run it; returns whether anything was wrong."""
    parser = argparse.ArgumentParser(description="Random load with faults on an engine.")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    model = str(ModelLibrary().pull("smollm2"))
    config = EngineConfig(model=model, device="cpu", num_blocks=64, max_waiting=64)
    runner, tokenizer, blocks = load_model(config)
    core = EngineCore(FaultyRunner(runner, chance), tokenizer, config, num_blocks=blocks)
    return asyncio.run(soak(AsyncLLM(core), options.minutes * 60, chance))


async def soak(llm: AsyncLLM, seconds: float, chance: random.Random) -> int:
    """Put an engine under load, print what was seen, and judge it."""
    run = Soak(llm, seconds, chance)
    samples = await run.run()
    await llm.drain(grace=60)
    stats = llm.stats()
    llm.close()
    print(
        f"{'minutes':>8} {'resident, MB':>13} {'tokens/cpu s':>13} {'requests':>9}"
        f" {'free blocks':>12}"
    )
    for one in samples:
        print(
            f"{one.minutes:8.1f} {one.resident_mb:13.0f} {one.tokens_per_processor_second:13.0f}"
            f" {one.requests:9} {one.free_blocks:12}"
        )
    print(dict(run.ends.most_common()))
    print(stats)
    return report(
        samples,
        unexpected=run.ends.keys() - EXPECTED,
        leaked=stats.total_blocks - stats.free_blocks,
    )


def report(samples: Sequence[Sample], *, unexpected: set[str], leaked: int) -> int:
    """Say what is wrong; returns whether anything is."""
    fifth = len(samples) // 5
    early, late = samples[fifth : 2 * fifth], samples[-fifth:]
    growth = late[-1].resident_mb / max(one.resident_mb for one in early)
    share = statistics.median(one.tokens_per_processor_second for one in late) / statistics.median(
        one.tokens_per_processor_second for one in early
    )
    wrong = [
        what
        for what, found in {
            f"{leaked} blocks are not free": leaked,
            f"requests ended with {', '.join(sorted(unexpected))}": unexpected,
            f"memory grew by {growth - 1:.0%}": growth > MOST_GROWTH,
            f"throughput fell to {share:.0%}": share < LEAST_SHARE,
        }.items()
        if found
    ]
    print("; ".join(wrong) or f"memory {growth:.0%}, throughput {share:.0%} of early: all is well")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
