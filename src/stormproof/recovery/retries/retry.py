"""Calling again after a failure that may pass.

The wait before retry n is drawn evenly from 0 to ``initial_delay * factor**(n - 1)`` seconds and
then cut to ``max_delay``: "full jitter" (Brooker, "Exponential Backoff And Jitter", AWS
Architecture Blog, 2015). Cut after the draw, so that long waits still spread over the callers.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final, Self

from stormproof.errors import Problems, ResultRejected
from stormproof.recovery.classification import (
    ErrorFilter,
    Verdict,
    is_filter,
    is_predicate,
    matcher,
    verdict,
)
from stormproof.recovery.clock import current_clock
from stormproof.recovery.deadline import remaining
from stormproof.recovery.events import (
    AttemptFailed,
    GiveUpReason,
    RetryGaveUp,
    RetryScheduled,
    bus,
)
from stormproof.recovery.options import LONGEST, check_count, check_seconds, is_number
from stormproof.recovery.retries.attempts import (
    Tries,
    broken_off,
    cut_short,
    give_up,
    given_up,
    go_before,
    records,
)
from stormproof.recovery.retries.budget import RetryBudget
from stormproof.recovery.strategy import Call, Site, Strategy
from stormproof.recovery.targets.handover import would_be_taken_over

_MOST_ATTEMPTS: Final = 1000


@dataclass(frozen=True, kw_only=True)
class Retry(Strategy):
    """Calls again, after a wait, while the error says that this may help.

    A wait that the error itself asks for (``retry_after``) takes the place of the drawn one. The
    retry gives up at once, so that a fallback can answer, when that is longer than ``max_delay``
    or when any wait would outlast the deadline in force; and when it is longer than the retry's
    own waits while a ``Failover`` around it has a healthy target left. The last error reaches the
    caller as it is, with the record of all attempts on it: see ``attempts``.

    A stream is retried until its first item is delivered, and never after; its items are not
    shown to ``retry_on_result``.

    Args:
        attempts: How many calls at most, the first one included; 1 to 1000.
        initial_delay: Seconds, the longest first wait. With 0 nothing ever sleeps, unless an
            error asks for a wait.
        factor: How much longer the longest wait gets each time; 1 to 100.
        max_delay: Seconds, the longest of all waits.
        retry_on: Which errors to retry. By default what the error says: ``retriable``, for
            foreign exceptions after translation. Bugs and client errors are never retried so.
        retry_on_result: Tells, of what a call returned, whether that is as good as a failure. If
            so the call is retried, and when no attempt is left ``ResultRejected`` is raised,
            whose ``result`` it is. What this function raises is passed on. By default no result
            is.
        budget: What bounds the retries of this dependency, of all its callers together. Every
            success that comes through this retry is deposited there, and every retry charged
            when it is scheduled; when it is spent the retry gives up at once. By default nothing.
        name: What events call it.
    """

    attempts: int = 3
    initial_delay: float = 0.1
    factor: float = 2.0
    max_delay: float = 10.0
    retry_on: ErrorFilter | None = None
    retry_on_result: Callable[[Any], bool] | None = None
    budget: RetryBudget | None = None
    name: str = "retry"
    _matches: Callable[[Exception], bool] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        problems = Problems()
        check_count(problems, "attempts", self.attempts, most=_MOST_ATTEMPTS)
        check_seconds(problems, "initial_delay", self.initial_delay, positive=False)
        check_seconds(problems, "max_delay", self.max_delay, positive=False)
        fine = is_number(self.factor) and 1 <= self.factor <= 100  # noqa: PLR2004 - as documented
        problems.check(fine, "factor", "must be a number from 1 to 100", "number")
        fine = self.retry_on is None or is_filter(self.retry_on)
        problems.check(fine, "retry_on", "must select errors by class or predicate", "filter")
        fine = self.retry_on_result is None or is_predicate(self.retry_on_result)
        problems.check(fine, "retry_on_result", "must be a sync function", "callable")
        fine = self.budget is None or isinstance(self.budget, RetryBudget)
        problems.check(fine, "budget", "must be a RetryBudget", "budget")
        problems.raise_if_any("the retry is not valid")
        # Not an option but made from one; the instance is frozen.
        vars(self)["_matches"] = self._matcher()

    def _matcher(self) -> Callable[[Exception], bool] | None:
        if self.retry_on is None:
            return None
        selects = matcher(self.retry_on)
        if self.retry_on_result is None:
            return selects
        return lambda error: isinstance(error, ResultRejected) or selects(error)

    @classmethod
    def storage(cls) -> Self:
        """For disks, databases and caches: 3 attempts, waits from 100 ms, doubling, to 10 s."""
        return cls(name="storage-retry")

    @classmethod
    def provider(cls) -> Self:
        """For model providers and their rate limits: 3 attempts, from 1 s, doubling, to 60 s."""
        return cls(initial_delay=1.0, max_delay=60.0, name="provider-retry")

    @classmethod
    def step(cls) -> Self:
        """For one step of a chain: 3 attempts, waits from 200 ms, doubling, to 10 s."""
        return cls(initial_delay=0.2, name="step-retry")

    def __str__(self) -> str:
        waits = f"{self.initial_delay:g}s x{self.factor:g} to {self.max_delay:g}s"
        within = f" within {self.budget}" if self.budget else ""
        return f"Retry {self.attempts} attempts {waits}{within}"

    def guard_call(self, call: Call, site: Site) -> Call:
        """Guard a sync function."""
        settle, pipeline = self._settlement(site), site.pipeline

        def guarded(*args: Any, **kwargs: Any) -> Any:
            written = records.written
            run = None
            try:
                while True:
                    try:
                        result = call(*args, **kwargs)
                    except Exception as error:
                        run = run or _Run(self, pipeline, written)
                        wait = run.wait_after(error)
                        if wait is None:
                            raise
                    else:
                        if settle is None or settle(result):
                            return result
                        run = run or _Run(self, pipeline, written)
                        wait = run.wait_after_result(result)
                    if wait > 0:
                        current_clock().sleep(wait)
            finally:
                run = None  # it holds errors, whose tracebacks hold this frame

        return guarded

    def guard_coroutine(self, call: Call, site: Site) -> Call:  # noqa: C901 - one loop
        """Guard a function that returns an awaitable."""
        from asyncio import CancelledError  # noqa: PLC0415 - heavy

        settle, pipeline = self._settlement(site), site.pipeline
        shares = self.budget is not None and self.budget.shared

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            written = records.written
            run = None
            try:
                while True:
                    try:
                        result = await call(*args, **kwargs)
                    except Exception as error:
                        run = run or _Run(self, pipeline, written)
                        wait = await run.await_after(error) if shares else run.wait_after(error)
                        if wait is None:
                            raise
                    else:
                        if settle is None or settle(result):
                            return result
                        run = run or _Run(self, pipeline, written)
                        wait = run.wait_after_result(result)
                    if wait > 0:
                        await current_clock().asleep(wait)
            except CancelledError as error:
                run = run or _Run(self, pipeline, written)
                run.cut_short(error)
                raise
            finally:
                run = None

        return guarded

    def guard_stream(self, call: Call, site: Site) -> Call:  # noqa: C901 - one loop
        """Guard a function that returns an async generator."""
        from asyncio import CancelledError  # noqa: PLC0415 - heavy

        pipeline, earning = site.pipeline, site.earning(self.budget)

        async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            written = records.written
            run = None
            delivered = False
            try:
                while True:
                    try:
                        async with aclosing(call(*args, **kwargs)) as items:
                            async for item in items:
                                delivered = True
                                yield item
                    except Exception as error:
                        run = run or _Run(self, pipeline, written)
                        wait = await run.await_after(error, delivered=delivered)
                        if wait is None:
                            raise
                    else:
                        _count_success(earning)
                        return
                    if wait > 0:
                        await current_clock().asleep(wait)
            except CancelledError as error:
                run = run or _Run(self, pipeline, written)
                run.cut_short(error)
                raise
            finally:
                run = None

        return guarded

    def _settlement(self, site: Site) -> Callable[[Any], bool] | None:
        """Return what counts a success or tells that a result is none; None if all are none's."""
        earning, rejects = site.earning(self.budget), self.retry_on_result
        if earning is None and rejects is None:
            return None

        def settle(result: Any) -> bool:
            if rejects is not None and rejects(result):
                return False
            _count_success(earning)
            return True

        return settle


def _count_success(earning: RetryBudget | None) -> None:
    if earning is not None:
        earning.deposit()


class _Run:
    """One guarded call that has failed at least once: decides what comes next."""

    __slots__ = ("_failed", "_longest", "_pipeline", "_retry", "_written")

    def __init__(self, retry: Retry, pipeline: str, written: int) -> None:
        self._retry = retry
        self._pipeline = pipeline
        self._written = written
        self._longest = retry.initial_delay
        self._failed: Tries = []

    def wait_after(self, error: Exception, *, delivered: bool = False) -> float | None:
        """Return the seconds to wait before the next attempt, None to pass ``error`` on.

        Args:
            error: Why the last one failed.
            delivered: Whether the consumer of a stream has items: they cannot be taken back.
        """
        plan = self._consider(error, delivered)
        if plan is None:
            return None
        wait, reason = plan
        budget = self._retry.budget
        # Asked last: it charges for the retry.
        if reason is None and budget is not None and not budget.withdraw():
            reason = GiveUpReason.BUDGET_SPENT
        return self._conclude(error, wait, reason)

    async def await_after(self, error: Exception, *, delivered: bool = False) -> float | None:
        """Do as ``wait_after`` does, with a budget that has to be waited for."""
        plan = self._consider(error, delivered)
        if plan is None:
            return None
        wait, reason = plan
        budget = self._retry.budget
        if reason is None and budget is not None and not await budget.awithdraw():
            reason = GiveUpReason.BUDGET_SPENT
        return self._conclude(error, wait, reason)

    def _consider(
        self, error: Exception, delivered: bool
    ) -> tuple[float, GiveUpReason | None] | None:
        """Return the plan for a failure that is this retry's business, None for others."""
        said = verdict(error)
        if said is None:
            return None
        if records.written > self._written and given_up(error, self._written):
            go_before(error, self._written, self._failed, self._pipeline)
            return None
        if delivered:
            broken_off(error, self._written, self._failed, self._pipeline)
            return None
        number = len(self._failed) + 1
        if bus.listeners:
            self._publish(AttemptFailed, attempt=number, error=error)
        return self._plan(number, error, said)

    def _conclude(self, error: Exception, wait: float, reason: GiveUpReason | None) -> float | None:
        """Retry after ``wait``, or give up if there is a ``reason``."""
        number = len(self._failed) + 1
        self._failed.append((current_clock().now(), error, None if reason else wait))
        if reason:
            if number > 1 or reason is not GiveUpReason.NOT_RETRIABLE:
                self._give_up(error, reason)
            return None
        if bus.listeners:
            self._publish(RetryScheduled, attempt=number + 1, wait=wait, error=error)
        return wait

    def wait_after_result(self, result: object) -> float:
        """Return the seconds to wait before the next attempt, after a result that will not do.

        Raises:
            ResultRejected: There is no next attempt.
        """
        error = ResultRejected(operation=self._pipeline)
        error.result = result
        try:
            wait = self.wait_after(error)
            if wait is not None:
                return wait
            # The traceback holds this frame, and so must not find itself here.
            self._failed.clear()
            raise error
        finally:
            del error

    def cut_short(self, error: BaseException) -> None:
        """Take note that the call is cancelled."""
        cut_short(error, self._written, self._failed, self._pipeline)

    def _plan(
        self, number: int, error: Exception, said: Verdict
    ) -> tuple[float, GiveUpReason | None]:
        """Return the wait before the next attempt, or what stands in its way."""
        retry = self._retry
        if not (said.retriable if retry._matches is None else retry._matches(error)):
            return 0.0, GiveUpReason.NOT_RETRIABLE
        if number >= retry.attempts:
            return 0.0, GiveUpReason.ATTEMPTS_SPENT
        asked = said.retry_after
        wait = asked if asked is not None and asked >= 0 else self._draw()
        return wait, self._obstacle(wait, error)

    def _obstacle(self, wait: float, error: Exception) -> GiveUpReason | None:
        retry = self._retry
        if wait > retry.max_delay:
            return GiveUpReason.WAIT_TOO_LONG
        left = remaining()
        if left is not None and wait >= left:
            return GiveUpReason.DEADLINE_TOO_NEAR
        # Longer than any wait of its own: the error asked for it.
        if wait > self._longest and would_be_taken_over(error):
            return GiveUpReason.HANDED_OVER
        return None

    def _draw(self) -> float:
        longest = self._longest
        if not longest:
            return 0.0
        self._longest = min(longest * self._retry.factor, LONGEST)
        return min(current_clock().random() * longest, self._retry.max_delay)

    def _give_up(self, error: Exception, reason: GiveUpReason) -> None:
        give_up(error, self._failed, self._pipeline, reason.replace("_", " "))
        if bus.listeners:
            self._publish(RetryGaveUp, attempts=len(self._failed), error=error, reason=reason)

    def _publish(self, kind: type, **fields: Any) -> None:
        bus.publish(kind(pipeline=self._pipeline, strategy=self._retry.name, **fields))
