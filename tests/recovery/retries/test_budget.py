"""The retries of a dependency are bounded together, whoever calls it."""

import asyncio
import contextvars
import inspect
import math
import re
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from stormproof.errors import NetworkError, PartialOutput, ValidationErrors
from stormproof.recovery import (
    Event,
    GiveUpReason,
    Pipeline,
    Retry,
    RetryBudget,
    RetryGaveUp,
    attempts,
)
from stormproof.testing import FakeClock, Scripted, Takes

CUT = NetworkError(reason="cut")


def empty() -> RetryBudget:
    return RetryBudget(floor=0)


async def test_200_failing_callers_make_at_most_240_calls(clock: FakeClock) -> None:
    """Three attempts each would be 600."""
    fetch = Scripted(Takes(0.05, CUT))
    pipeline = Pipeline(Retry(budget=RetryBudget()))
    await asyncio.gather(*(pipeline.acall(fetch.acall) for _ in range(200)), return_exceptions=True)
    assert 200 < len(fetch.calls) <= 240


def test_200_failing_threads_make_at_most_240_calls(clock: FakeClock) -> None:
    """Time stands still here, so that every one of them is there at once."""
    made: list[None] = []

    def fetch() -> None:
        made.append(None)
        raise NetworkError(reason="cut")

    guarded = Pipeline(Retry(initial_delay=0, budget=RetryBudget()))(fetch)
    start = threading.Barrier(200)

    def run() -> None:
        start.wait()
        with pytest.raises(NetworkError):
            guarded()

    threads = [
        threading.Thread(target=contextvars.copy_context().run, args=(run,)) for _ in range(200)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 220


def test_an_empty_budget_ends_the_retrying_at_once(clock: FakeClock, heard: list[Event]) -> None:
    fetch = Scripted(CUT)
    with pytest.raises(NetworkError):
        Pipeline(Retry(budget=empty()), name="ask").call(fetch)
    assert len(fetch.calls) == 1
    assert clock.slept == []
    assert heard[-1] == RetryGaveUp(
        pipeline="ask", strategy="retry", attempts=1, error=CUT, reason=GiveUpReason.BUDGET_SPENT
    )
    assert len(attempts(CUT)) == 1


def test_a_retry_further_out_does_not_retry_what_the_budget_stopped(clock: FakeClock) -> None:
    fetch = Scripted(CUT)
    with pytest.raises(NetworkError):
        Pipeline(Retry(), Retry(budget=empty())).call(fetch)
    assert len(fetch.calls) == 1


async def test_a_retry_is_charged_when_it_is_scheduled(clock: FakeClock) -> None:
    """The one that waits has taken the only retry there was; the other cannot have it."""
    budget = RetryBudget(floor=1, window=1)
    pipeline = Pipeline(Retry(budget=budget))
    waiting = asyncio.create_task(pipeline.acall(Scripted(CUT, "answer").acall))
    await asyncio.sleep(0)
    assert clock.slept == [0.1]
    assert budget.balance == 0
    with pytest.raises(NetworkError):
        await pipeline.acall(Scripted(CUT, "answer").acall)
    assert await waiting == "answer"


def test_what_would_not_be_retried_is_not_charged(clock: FakeClock) -> None:
    budget = RetryBudget()
    full = budget.balance
    with pytest.raises(ZeroDivisionError):
        Pipeline(Retry(budget=budget)).call(Scripted(ZeroDivisionError()))
    with pytest.raises(NetworkError):
        Pipeline(Retry(attempts=1, budget=budget)).call(Scripted(CUT))
    assert budget.balance == full


async def test_every_success_is_deposited_once(clock: FakeClock) -> None:
    budget = RetryBudget(0.5, floor=0)
    pipeline = Pipeline(Retry(budget=budget))
    pipeline.call(Scripted("answer"))
    await pipeline.acall(Scripted("answer").acall)
    assert [item async for item in pipeline.stream(Scripted(["a", "b"]).stream)] == ["a", "b"]
    assert budget.balance == 1.5


async def test_a_stream_left_or_broken_midway_is_no_success(clock: FakeClock) -> None:
    async def breaks() -> AsyncIterator[str]:
        yield "a"
        raise NetworkError(reason="cut")

    budget = RetryBudget(floor=0)
    items = Pipeline(Retry(budget=budget)).stream(Scripted(["a", "b"]).stream)
    assert await anext(items) == "a"
    await items.aclose()
    with pytest.raises(PartialOutput):
        [item async for item in Pipeline(Retry(budget=budget)).stream(breaks)]
    assert budget.balance == 0


def test_the_floor_refills_an_empty_budget_but_does_not_pile_up(clock: FakeClock) -> None:
    budget = RetryBudget(floor=2, window=10)
    while budget.withdraw():
        pass
    clock.advance(1)
    assert budget.balance == pytest.approx(2, rel=0.05)
    clock.advance(3600)
    assert budget.balance == pytest.approx(20)


def test_old_successes_are_forgotten(clock: FakeClock) -> None:
    budget = RetryBudget(floor=0, window=10)
    for _ in range(1000):
        budget.deposit()
    assert budget.balance == pytest.approx(200)
    clock.advance(100)
    assert not budget.withdraw()


def test_no_deposit_or_charge_is_lost_between_threads(clock: FakeClock) -> None:
    budget = RetryBudget(1, floor=0)

    def run() -> None:
        for _ in range(2_000):
            budget.deposit()
            assert budget.withdraw()
            budget.deposit()

    threads = [
        threading.Thread(target=contextvars.copy_context().run, args=(run,)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert budget.balance == 16_000


def test_a_clock_that_another_one_replaced_does_not_fill_the_budget() -> None:
    """A budget may be used under the clock of a test, and after it under the real one."""
    with FakeClock() as clock:
        budget = RetryBudget()
        clock.advance(3600)
        while budget.withdraw():
            pass
    assert budget.balance == pytest.approx(0)


def test_options_are_checked_together() -> None:
    with pytest.raises(ValidationErrors) as raised:
        RetryBudget(-1, floor=math.inf, window=0)
    assert [one["field"] for one in raised.value.errors] == ["ratio", "floor", "window"]
    with pytest.raises(ValidationErrors, match="RetryBudget"):
        Retry(budget="20%")  # type: ignore[arg-type]


def test_a_budget_can_be_read() -> None:
    budget = RetryBudget()
    assert str(budget) == "20% + 2/s"
    assert repr(budget) == "RetryBudget(0.2, floor=2, window=10)"
    assert str(Retry(budget=budget)).endswith("within 20% + 2/s")


def test_the_guide_has_the_defaults_of_the_code() -> None:
    page = (Path(__file__).parents[3] / "docs/guides/recovery/retry_budget.md").read_text("utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \| `(.*?)` \|", page, re.MULTILINE))
    options = inspect.signature(RetryBudget).parameters.values()
    assert told == {option.name: repr(option.default) for option in options}


class BudgetMachine(RuleBasedStateMachine):
    """Beside a model that remembers every deposit and charge, and lets each fade on its own."""

    @initialize(
        ratio=st.floats(0, 2), floor=st.floats(0, 10), window=st.sampled_from([0.5, 10.0, 60.0])
    )
    def begin(self, ratio: float, floor: float, window: float) -> None:
        self.clock = FakeClock()
        self.clock.__enter__()
        self.ratio, self.floor, self.window = ratio, floor, window
        self.budget = RetryBudget(ratio, floor=floor, window=window)
        self.begun = self.clock.now()
        self.entries: list[tuple[float, float]] = []
        self.successes = self.retries = 0

    def expected(self) -> float:
        now = self.clock.now()
        faded = (amount * math.exp((at - now) / self.window) for at, amount in self.entries)
        return self.floor * self.window + math.fsum(faded)

    @rule(times=st.integers(1, 20))
    def succeed(self, times: int) -> None:
        for _ in range(times):
            self.budget.deposit()
        self.entries.append((self.clock.now(), self.ratio * times))
        self.successes += times

    @rule()
    def retry(self) -> None:
        expected = self.expected()
        allowed = self.budget.withdraw()
        if abs(expected - 1) > 1e-5:
            assert allowed is (expected > 1)
        if allowed:
            self.entries.append((self.clock.now(), -1))
            self.retries += 1

    @rule(seconds=st.sampled_from([1, 5, 60, 3600]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @invariant()
    def agree(self) -> None:
        assert self.budget.balance == pytest.approx(self.expected(), abs=1e-5)

    @invariant()
    def keep_the_promise(self) -> None:
        elapsed = self.clock.now() - self.begun
        start = self.floor * self.window
        most = start + self.ratio * self.successes + self.floor * elapsed
        assert self.retries <= most + 1e-4

    def teardown(self) -> None:
        self.clock.__exit__(None, None, None)


BudgetMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestBudget = BudgetMachine.TestCase
