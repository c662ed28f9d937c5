"""Asking somebody else when a call has failed, and asking those first who can answer.

A failover is left to the next target as gRPC leaves a subchannel that is not ready, and as Envoy
leaves an ejected host: by what was seen of it, before the call rather than by it.
"""

from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from stormproof.errors import Problems
from stormproof.recovery.classification import ErrorFilter, failure_filter, is_filter
from stormproof.recovery.clock import current_clock
from stormproof.recovery.retries.budget import RetryBudget
from stormproof.recovery.strategy import Call, Site, Strategy
from stormproof.recovery.targets.handover import Offer, offer, withdraw
from stormproof.recovery.targets.ladder import Ladder, Run
from stormproof.recovery.targets.target import Route, Target, TargetHealth
from stormproof.recovery.targets.target_order import FailoverOrder

_MOST_TARGETS: Final = 64
_END: Final = object()


@dataclass(frozen=True, eq=False, init=False)
class Failover(Strategy):
    """Asks one of several targets, and when that fails the next.

    One target has no ``call``: it is the guarded function, and the strategies further in guard it
    alone. The others bring what guards them, such as a pipeline of their own.

    Healthy targets are asked in the order of the policy: those whose circuit lets a call in and
    which have not asked for a rest (``retry_after``) that still lasts. Then come those that rest,
    the shortest rest first. A target whose circuit is open is not asked; where none can be, the
    caller gets the ``CircuitOpen`` that ends soonest. One that could not serve the call (a target's
    ``refuses``) is passed over; where none could, the caller gets the reason of the first.

    When all have failed, the caller gets the error after which another call makes sense soonest:
    a retriable one before one that is not, then the one that asks for the shortest wait, then the
    first. Notes on it tell what became of the others.

    What is known of the targets belongs to the failover: pipelines that share it share that. A
    circuit, and a rest that was asked for, belong to the breaker.

    A stream fails over until its first item is delivered, and never after. No further target is
    begun when the deadline in force is over. Latencies of failed and of cancelled calls do not
    count.

    Args:
        targets: One to 64, one of them without a ``call``. One alone has nobody to hand over to,
            but a circuit.
        order: How to choose among the healthy ones: ``LISTED`` as they are given, ``WEIGHTED``
            by a draw without replacement, ``FASTEST`` by the least median latency, those never
            measured first; one call in fifty goes to any, to notice what has got faster.
        budget: What bounds the extra calls of all callers together. Every call of a further
            target is charged; when it is spent the error reaches the caller at once. By default
            nothing.
        on: Which errors to fail over after. By default every one that is not a client error;
            foreign exceptions count as what they translate to.
        name: What events call it.
    """

    targets: tuple[Target, ...]
    order: FailoverOrder = FailoverOrder.LISTED
    budget: RetryBudget | None = None
    on: ErrorFilter | None = None
    name: str = "failover"
    _ladder: Ladder = field(init=False, repr=False)

    def __init__(
        self,
        *targets: Target,
        order: FailoverOrder = FailoverOrder.LISTED,
        budget: RetryBudget | None = None,
        on: ErrorFilter | None = None,
        name: str = "failover",
    ) -> None:
        problems = Problems()
        _check_targets(problems, targets)
        fine = isinstance(order, FailoverOrder)
        problems.check(fine, "order", "must be a FailoverOrder", "order")
        fine = budget is None or isinstance(budget, RetryBudget)
        problems.check(fine, "budget", "must be a RetryBudget", "budget")
        fine = on is None or is_filter(on)
        problems.check(fine, "on", "must select errors by class or predicate", "filter")
        problems.raise_if_any("the failover is not valid")
        vars(self).update(targets=targets, order=order, budget=budget, on=on, name=name)
        # Not an option: the instance is frozen, what is known of its targets changes.
        vars(self)["_ladder"] = Ladder(
            routes=tuple(map(Route, targets)),
            order=order,
            budget=budget,
            fails_over=failure_filter(on),
            name=name,
        )

    def __str__(self) -> str:
        order = "" if self.order is FailoverOrder.LISTED else f" {self.order.value}"
        return f"Failover{order} {', '.join(target.name for target in self.targets)}"

    def health(self) -> tuple[TargetHealth, ...]:
        """Return what is known of each target, in the order they are listed."""
        return tuple(route.health() for route in self._ladder.routes)

    def guard_call(self, call: Call, site: Site) -> Call:
        """Guard a sync function."""
        ladder, earning = self._ladder, site.earning(self.budget)
        calls = {
            route: route.breaker.guard_call(_resolve(route.target, call, site), site)
            for route in ladder.routes
        }
        first = ladder.chooser(site)
        looks = ladder.remembers

        def guarded(*args: Any, **kwargs: Any) -> Any:
            turn = first(args, kwargs)
            if looks:
                turn = ladder.look(turn, lambda: first(args, kwargs))
            run = None
            try:
                while True:
                    offered: Offer = [turn]
                    token = offer(offered)
                    began = current_clock().now()
                    try:
                        result = calls[turn.route](*args, **kwargs)
                    except Exception as error:  # noqa: BLE001 - raised below, if nobody answers
                        run = run or Run(ladder, site.pipeline)
                        following = run.after(turn, error)
                    else:
                        turn.route.answered(began)
                        if earning is not None:
                            earning.deposit()
                        return result
                    finally:
                        offered.clear()
                        withdraw(token)
                    if following is None:
                        raise run.error
                    turn = following
            finally:
                run = None  # it holds errors, whose tracebacks hold this frame

        return guarded

    def guard_coroutine(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an awaitable."""
        calls = {
            route: route.breaker.guard_coroutine(_resolve_coroutine(route.target, call, site), site)
            for route in self._ladder.routes
        }
        return self._ask_in_turn(calls, site, site.earning(self.budget))

    def guard_stream(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an async generator."""
        calls = {
            route: _opening(
                route, route.breaker.guard_stream(_resolve(route.target, call, site), site)
            )
            for route in self._ladder.routes
        }
        opened = self._ask_in_turn(calls, site, None)
        earning = site.earning(self.budget)

        async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            route, items, first = await opened(*args, **kwargs)
            async with aclosing(items):
                try:
                    if first is not _END:
                        yield first
                    async for item in items:
                        yield item
                except Exception as error:
                    route.failed(error)
                    raise  # what the consumer has cannot be taken back
            if earning is not None:
                earning.deposit()

        return guarded

    def _ask_in_turn(
        self, calls: dict[Route, Call], site: Site, earning: RetryBudget | None
    ) -> Call:
        """Return a coroutine function that asks by ``calls``; ``earning`` counts the answers."""
        ladder = self._ladder
        first = ladder.chooser(site)
        looks = ladder.remembers

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            turn = first(args, kwargs)
            if looks:
                turn = await ladder.alook(turn, lambda: first(args, kwargs))
            run = None
            try:
                while True:
                    offered: Offer = [turn]
                    token = offer(offered)
                    began = current_clock().now()
                    try:
                        result = await calls[turn.route](*args, **kwargs)
                    except Exception as error:  # noqa: BLE001 - raised below, if nobody answers
                        run = run or Run(ladder, site.pipeline)
                        following = await run.await_after(turn, error)
                    else:
                        turn.route.answered(began)
                        if earning is not None:
                            earning.deposit()
                        return result
                    finally:
                        offered.clear()
                        withdraw(token)
                    if following is None:
                        raise run.error
                    turn = following
            finally:
                run = None

        return guarded


def _opening(route: Route, stream: Call) -> Call:
    """Return a coroutine function that opens a stream: what counts is whether an item comes.

    It returns the route, the rest of the items, and the first, or ``_END``.
    """

    async def opened(*args: Any, **kwargs: Any) -> tuple[Route, AsyncGenerator[Any, None], Any]:
        items = stream(*args, **kwargs)
        return route, items, await anext(items, _END)  # a generator that raised is closed

    return opened


def _resolve(target: Target, guarded: Call, site: Site) -> Call:
    """Return the function that asks ``target``."""
    return guarded if target.call is None else site.substitute(target.call)


def _resolve_coroutine(target: Target, guarded: Call, site: Site) -> Call:
    """Return the coroutine function that asks ``target``, which may answer at once."""
    if target.call is None:
        return guarded
    call = site.substitute(target.call)

    async def ask(*args: Any, **kwargs: Any) -> Any:
        result = call(*args, **kwargs)
        return await result if isinstance(result, Awaitable) else result

    return ask


def _check_targets(problems: Problems, targets: tuple[Target, ...]) -> None:
    fine = all(isinstance(target, Target) for target in targets)
    problems.check(fine, "targets", "must be Targets", "target")
    if not fine:
        return
    fine = 1 <= len(targets) <= _MOST_TARGETS
    problems.check(fine, "targets", f"must be 1 to {_MOST_TARGETS}", "count")
    fine = len({target.name for target in targets}) == len(targets)
    problems.check(fine, "targets", "must have different names", "unique")
    fine = sum(target.call is None for target in targets) == 1
    problems.check(fine, "targets", "one must be the guarded function: without a call", "missing")
