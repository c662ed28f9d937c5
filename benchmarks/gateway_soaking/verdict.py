"""What a soak has shown."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from engine_peers.readme import markdown_table
from gateway_soaking.hearing import Outcome
from gateway_soaking.ledger import Ledger
from gateway_soaking.watching import Sample

MOST_GROWTH: Final = 1.03
"""Of memory, from the second quarter to the last."""


@dataclass(frozen=True, slots=True)
class Soak:
    """One run.

    Attributes:
        ledger: Every request.
        before: What the gateway held before any.
        samples: What it held meanwhile.
        after: What it held when all had their end, and clients were gone.
        pooled: Connections to providers that it kept then.
        reloads: How often it was told to read its settings again.
        logged: Lines about failures that it did not expect.
    """

    ledger: Ledger
    before: Sample
    samples: Sequence[Sample]
    after: Sample
    pooled: int
    reloads: int
    logged: Sequence[str]

    @property
    def growth(self) -> float:
        """How many times the memory of the second quarter the last one has."""
        quarter = len(self.samples) // 4
        second, last = self.samples[quarter : 2 * quarter], self.samples[-quarter:]
        return _memory(last) / _memory(second)

    def problems(self) -> Iterator[str]:
        """Yield what should not be."""
        for what, times in self.ledger.wrong.items():
            yield f"{times} times: {what}"
        if self.ledger.under_way:
            yield f"{self.ledger.under_way} requests have no end"
        if self.growth > MOST_GROWTH:
            yield f"memory grew to {self.growth:.1%}"
        if self.after.in_flight:
            yield f"{self.after.in_flight} requests are still served"
        if self.after.tasks > self.before.tasks:
            yield f"{self.after.tasks - self.before.tasks} tasks are left"
        left = self.after.descriptors - self.before.descriptors - self.pooled
        if left > 0:
            yield f"{left} descriptors are left"
        if self.logged:
            yield f"{len(self.logged)} lines in its log, such as {self.logged[0]}"

    def table(self) -> str:
        """Return the tables."""
        return "\n\n".join((self._held(), self._ended()))

    def _held(self) -> str:
        head = ["minutes", "requests", "memory, MiB", "descriptors", "tasks", "processor, µs"]
        quarter = max(len(self.samples) // 4, 1)
        shown = [self.before, *self.samples[quarter - 1 :: quarter], self.after]
        pairs = zip([self.before, *shown], shown, strict=False)
        return markdown_table(0, head, [_line(*pair) for pair in pairs])

    def _ended(self) -> str:
        ledger = self.ledger
        lines = [[outcome.value, f"{ledger.outcomes[outcome]:,}"] for outcome in Outcome]
        lines += [[f"`{code}`", f"{times:,}"] for code, times in ledger.codes.most_common()]
        lines += [
            ["calls of providers", f"{ledger.calls:,}"],
            ["… that failed on purpose", f"{ledger.faults:,}"],
            ["… for the rest of an answer", f"{ledger.continued:,}"],
            ["settings read again", f"{self.reloads:,}"],
            ["memory, last quarter over second", f"{self.growth:.1%}"],
        ]
        return markdown_table(1, ["requests", "times"], lines)


def _line(earlier: Sample, sample: Sample) -> list[str]:
    answered = sample.requests - earlier.requests
    each = (sample.processor - earlier.processor) / answered * 1e6 if answered else 0
    return [
        f"{sample.minutes:.1f}",
        f"{sample.requests:,}",
        f"{sample.memory / 2**20:.1f}",
        f"{sample.descriptors}",
        f"{sample.tasks}",
        f"{each:,.0f}" if answered else "",
    ]


def _memory(samples: Sequence[Sample]) -> float:
    return statistics.median(sample.memory for sample in samples) if samples else 1
