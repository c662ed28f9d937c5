"""What a workload came to."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from stormproof.cli.bench.timeline import Timeline
from stormproof.cli.bench.workload import Workload


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Some durations, in seconds."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self | None:
        """Return those of a sample; None of an empty one."""
        found = sorted(seconds)
        return cls(*(_rank(found, share) for share in (0.5, 0.95, 0.99))) if found else None


def _rank(ascending: Sequence[float], share: float) -> float:
    return ascending[max(math.ceil(share * len(ascending)) - 1, 0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a workload came to.

    Attributes:
        workload: Its name.
        requests: How many requests were answered.
        failed: How many were not.
        prompt_tokens: Tokens of their prompts.
        output_tokens: Tokens of their answers.
        seconds: From the first request to the last token.
        output_tokens_per_second: Over all that time.
        prompt_tokens_per_second: Over the time until the last request had its first token.
        first_token: How long requests waited for their first token.
        inter_token: How long between two tokens of an answer.
    """

    workload: str
    requests: int
    failed: int
    prompt_tokens: int
    output_tokens: int
    seconds: float
    output_tokens_per_second: float
    prompt_tokens_per_second: float
    first_token: Percentiles
    inter_token: Percentiles | None

    @classmethod
    def of(cls, workload: Workload, answers: Sequence[Timeline], failed: int) -> Self:
        """Sum answers up; there is at least one."""
        started = min(answer.started for answer in answers)
        ended = max(answer.arrivals[-1] for answer in answers)
        read = max(answer.arrivals[0] for answer in answers)
        prompts = sum(answer.prompt_tokens for answer in answers)
        outputs = sum(answer.output_tokens for answer in answers)
        first = Percentiles.of([answer.first for answer in answers])
        return cls(
            workload=workload.name,
            requests=len(answers),
            failed=failed,
            prompt_tokens=prompts,
            output_tokens=outputs,
            seconds=ended - started,
            output_tokens_per_second=outputs / max(ended - started, 1e-9),
            prompt_tokens_per_second=prompts / max(read - started, 1e-9),
            first_token=first or Percentiles(0.0, 0.0, 0.0),
            inter_token=Percentiles.of([gap for answer in answers for gap in answer.gaps]),
        )

    def document(self) -> dict[str, Any]:
        """Return it for programs."""
        return asdict(self)
