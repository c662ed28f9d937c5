"""What a workload comes to, whatever becomes of its requests."""

import asyncio

import pytest

from stormproof.cli.bench.driving import Run
from stormproof.cli.bench.timeline import Timeline
from stormproof.cli.bench.workload import Request, Workload
from stormproof.errors import CapacityExceeded

WORKLOAD = Workload.parse("3x10+4")


class Answers:
    """A target with prepared answers: of a request that has none, nothing comes."""

    def __init__(self, *answers: Timeline | CapacityExceeded) -> None:
        self._answers = list(answers)

    async def answer(self, request: Request) -> Timeline:
        if not self._answers:
            await asyncio.Event().wait()
        answer = self._answers.pop(0)
        if isinstance(answer, CapacityExceeded):
            raise answer
        return answer


FIRST = Timeline(started=1.0, arrivals=(1.5, 1.6, 1.8, 2.0), prompt_tokens=10, output_tokens=4)
SECOND = Timeline(started=1.0, arrivals=(2.0, 3.0), prompt_tokens=30, output_tokens=4)


async def test_rates_times_and_failures() -> None:
    told: list[int] = []
    run = Run(WORKLOAD, told.append)
    refusal = CapacityExceeded(resource="queue", limit=1)
    await run.send(Answers(FIRST, refusal, SECOND), WORKLOAD.make(0, 1000))
    assert run.errors == [refusal]
    assert told == [4, 4]
    result = run.result
    assert result is not None
    assert (result.workload, result.requests, result.failed) == ("3x10+4", 2, 1)
    assert (result.prompt_tokens, result.output_tokens, result.seconds) == (40, 8, 2.0)
    assert result.output_tokens_per_second == pytest.approx(4)
    assert result.prompt_tokens_per_second == pytest.approx(40)
    assert (result.first_token.p50, result.first_token.p95) == (0.5, 1.0)
    assert result.inter_token is not None
    assert result.inter_token.p50 == pytest.approx(0.2)
    assert result.inter_token.p99 == pytest.approx(1.0)


async def test_what_was_answered_before_an_interruption_counts() -> None:
    def interrupt(_tokens: int) -> None:
        sending.cancel()

    run = Run(WORKLOAD, interrupt)
    sending = asyncio.ensure_future(run.send(Answers(FIRST), WORKLOAD.make(0, 1000)))
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert run.result is not None
    assert run.result.requests == 1


async def test_nothing_answered_is_no_result() -> None:
    run = Run(WORKLOAD, lambda _: None)
    refusals = [CapacityExceeded(resource="queue", limit=1) for _ in range(3)]
    await run.send(Answers(*refusals), WORKLOAD.make(0, 1000))
    assert run.result is None
    assert len(run.errors) == 3


async def test_one_token_leaves_nothing_between() -> None:
    run = Run(WORKLOAD, lambda _: None)
    one = Timeline(started=0.0, arrivals=(0.5,), prompt_tokens=1, output_tokens=1)
    await run.send(Answers(one), WORKLOAD.make(0, 1000)[:1])
    assert run.result is not None
    assert run.result.inter_token is None
