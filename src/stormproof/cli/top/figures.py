"""From looks at a server to what a person wants to know of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from stormproof.cli.top.scrape import Scrape

_ENGINE = "stormproof_engine_"


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Where half, and nineteen in twenty, of some durations lie; seconds."""

    p50: float
    p95: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a server does.

    Attributes:
        output_tokens_per_second: Tokens generated, between the last two looks.
        prompt_tokens_per_second: Prompt tokens accepted, likewise.
        running: Requests that take part in steps.
        waiting: Requests in the queue.
        waiting_tokens: Tokens that those have.
        kv_blocks: Cache blocks there are.
        kv_blocks_used: How many of them are owned.
        step_seconds: How long a step takes, lately; None where there was none.
        first_token: How long clients wait for a first token, lately.
        inter_token: How long between two tokens, lately.
        prefix_hit_rate: How many of the tokens that were looked for in the cache were there.
        acceptance: How many of the drafted tokens were right, lately.
        preemptions: Times a request lost its blocks, since the start.
        deaths: Processes of the engine that died, by cause, since the start.
        answers: Answers that ended, by reason, since the start.
        errors: Errors that clients saw, by code, since the start.
    """

    output_tokens_per_second: float
    prompt_tokens_per_second: float
    running: int
    waiting: int
    waiting_tokens: int
    kv_blocks: int
    kv_blocks_used: int
    step_seconds: float | None
    first_token: Percentiles | None
    inter_token: Percentiles | None
    prefix_hit_rate: float | None
    acceptance: float | None
    preemptions: int
    deaths: dict[str, int]
    answers: dict[str, int]
    errors: dict[str, int]

    @classmethod
    def of(cls, scrapes: Sequence[Scrape]) -> Self:
        """Compare looks, the newest last; what happened "lately" happened since the first."""
        oldest, now = scrapes[0], scrapes[-1]
        last = scrapes[-2] if len(scrapes) > 1 else now
        blocks = now.value(_ENGINE + "kv_blocks")
        return cls(
            output_tokens_per_second=_rate(last, now, "generated_tokens_total"),
            prompt_tokens_per_second=_rate(last, now, "prompt_tokens_total"),
            running=int(now.value(_ENGINE + "running_requests")),
            waiting=int(now.value(_ENGINE + "waiting_requests")),
            waiting_tokens=int(now.value(_ENGINE + "waiting_tokens")),
            kv_blocks=int(blocks),
            kv_blocks_used=int(blocks - now.value(_ENGINE + "kv_blocks_free")),
            step_seconds=_ratio(oldest, now, "step_seconds_total", "steps_total"),
            first_token=_percentiles(oldest, now, "time_to_first_token_seconds"),
            inter_token=_percentiles(oldest, now, "inter_token_latency_seconds"),
            prefix_hit_rate=_ratio(
                oldest, now, "prefix_hit_tokens_total", "prefix_query_tokens_total"
            ),
            acceptance=_ratio(oldest, now, "accepted_tokens_total", "drafted_tokens_total"),
            preemptions=int(now.value(_ENGINE + "preemptions_total")),
            deaths=_counts(now, _ENGINE + "deaths_total", "cause"),
            answers=_counts(now, _ENGINE + "answers_total", "reason"),
            errors=_counts(now, "stormproof_errors_total", "code"),
        )


def _rate(earlier: Scrape, now: Scrape, name: str) -> float:
    seconds = now.at - earlier.at
    return now.since(earlier, _ENGINE + name) / seconds if seconds > 0 else 0.0


def _ratio(earlier: Scrape, now: Scrape, part: str, whole: str) -> float | None:
    of = now.since(earlier, _ENGINE + whole)
    return now.since(earlier, _ENGINE + part) / of if of > 0 else None


def _counts(now: Scrape, name: str, label: str) -> dict[str, int]:
    return {key: int(value) for key, value in sorted(now.by(name, label).items())}


def _percentiles(earlier: Scrape, now: Scrape, name: str) -> Percentiles | None:
    buckets = _grown(earlier, now, f"{_ENGINE}{name}_bucket")
    if not buckets or not buckets[-1][1]:
        return None
    return Percentiles(quantile(buckets, 0.5), quantile(buckets, 0.95))


def _grown(earlier: Scrape, now: Scrape, name: str) -> list[tuple[float, float]]:
    """Return what came into a histogram: how many took at most so long, by upper bound."""
    before, after = earlier.by(name, "le"), now.by(name, "le")
    if any(after.get(bound, 0.0) < count for bound, count in before.items()):
        before = {}  # the server was started anew
    grown = [(float(bound), count - before.get(bound, 0.0)) for bound, count in after.items()]
    return sorted(grown)


def quantile(buckets: Sequence[tuple[float, float]], share: float) -> float:
    """Estimate below which duration a share of the durations lies.

    Args:
        buckets: How many took at most so long, by upper bound, ascending; the last is infinite.
        share: From 0 to 1.

    Returns:
        A value inside the bucket, as if it were evenly filled, and the highest bound of all for
        what lies beyond it; as Prometheus's ``histogram_quantile`` has it.
    """
    wanted = buckets[-1][1] * share
    bound = below = under = 0.0
    for bound, count in buckets:
        if count >= wanted:
            break
        below, under = bound, count
    else:
        return below
    if math.isinf(bound):
        return below
    return below + (bound - below) * (wanted - under) / max(count - under, 1e-9)
