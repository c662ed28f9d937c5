"""Failures on purpose, to find out what they would do.

The four kinds are those of Polly's chaos strategies; a stream can also end too early.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from stormproof.errors import Problems
from stormproof.recovery.clock import current_clock
from stormproof.recovery.events import ChaosEffect, ChaosInjected, bus
from stormproof.recovery.faults.chaos import switch
from stormproof.recovery.options import check_count, check_seconds, is_number
from stormproof.recovery.strategy import Call, Site, Strategy

_NOTHING: Final = object()


@dataclass(frozen=True, eq=False)
class Inject(Strategy):
    """Makes some calls fail, take longer, or answer wrongly, while ``chaos`` is switched on.

    Until then it does nothing, so it may stay in a pipeline for good: as the last strategy, where
    it stands in for the dependency.

    ```python
    pipeline = Pipeline(Retry(), Inject("openai", fault=ConnectionLost, rate=0.1))
    with chaos("openai"):
        pipeline.call(ask)  # one call in ten fails, the same ones each time
    ```

    At least one of the effects is given; ``latency`` goes with each of the others, and those
    exclude each other.

    Args:
        name: What ``chaos`` and events call it.
        fault: Makes the error that is raised in place of a call: a class of exceptions, or a
            function without arguments.
        latency: Seconds to wait before anything else.
        outcome: What is returned in place of a call; the last item of a stream.
        corrupt: Takes a result, or each item of a stream, and returns what takes its place.
        cut: Whether a stream ends as though it were complete. Nothing happens to calls.
        after: How many items of a stream pass before anything happens to it.
        rate: Which part of the calls is struck, from 0 to 1, by chance.
        script: In place of the rate: for one call after the other, whether it is struck. When it
            is over no more calls are.
        seed: Which calls are struck by chance; the same seed and name mean the same ones. Calls
            that run at once come in no certain order.
    """

    name: str
    fault: Callable[[], BaseException] | None = None
    latency: float = 0.0
    outcome: Any = _NOTHING
    corrupt: Callable[[Any], Any] | None = None
    cut: bool = False
    after: int = 0
    rate: float = 1.0
    script: Sequence[bool] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        problems = Problems()
        problems.check(self.name, "name", "must name what is shaken", "missing")
        others = [effect for effect in self._effects if effect is not ChaosEffect.LATENCY]
        problems.check(self._effects, "fault", "at least one effect must be given", "missing")
        problems.check(len(others) <= 1, "fault", "the effects exclude each other", "conflict")
        fine = self.fault is None or _makes_errors(self.fault)
        problems.check(fine, "fault", "must make an error without arguments", "callable")
        fine = self.corrupt is None or callable(self.corrupt)
        problems.check(fine, "corrupt", "must be a function", "callable")
        check_seconds(problems, "latency", self.latency, positive=False)
        check_count(problems, "after", self.after, least=0)
        fine = is_number(self.rate) and 0 <= self.rate <= 1
        problems.check(fine, "rate", "must be a number from 0 to 1", "number")
        fine = self.script is None or isinstance(self.script, (list, tuple))
        problems.check(fine, "script", "must be a list of truth values", "list")
        fine = isinstance(self.seed, int)
        problems.check(fine, "seed", "must be a whole number", "integer")
        problems.raise_if_any("the injection is not valid")

    def __str__(self) -> str:
        which = f"{self.rate:.0%}" if self.script is None else "by script"
        return f"Inject {self.name} {' + '.join(self._effects)} {which}"

    @property
    def _effects(self) -> list[ChaosEffect]:
        given = {
            ChaosEffect.LATENCY: bool(self.latency),
            ChaosEffect.FAULT: self.fault is not None,
            ChaosEffect.OUTCOME: self.outcome is not _NOTHING,
            ChaosEffect.CORRUPTION: self.corrupt is not None,
            ChaosEffect.CUT: self.cut,
        }
        return [effect for effect, wanted in given.items() if wanted]

    def schedule(self) -> Callable[[], bool]:
        """Return a function that tells, call by call from the first, whether to strike."""
        if self.script is not None:
            steps = iter(self.script)
            return lambda: next(steps, False)
        draw = Random(f"{self.seed}/{self.name}").random  # noqa: S311 - chance, not a key
        return lambda: draw() < self.rate

    def guard_call(self, call: Call, site: Site) -> Call:
        """Guard a sync function."""
        pipeline = site.pipeline

        def guarded(*args: Any, **kwargs: Any) -> Any:
            if not (switch.periods and switch.strikes(self)):
                return call(*args, **kwargs)
            if self._delays(pipeline):
                current_clock().sleep(self.latency)
            if self._answers(pipeline):
                return self.outcome
            result = call(*args, **kwargs)
            return self._distortion(pipeline)(result)

        return guarded

    def guard_coroutine(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an awaitable."""
        pipeline = site.pipeline

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            if not (switch.periods and switch.strikes(self)):
                return await call(*args, **kwargs)
            if self._delays(pipeline):
                await current_clock().asleep(self.latency)
            if self._answers(pipeline):
                return self.outcome
            result = await call(*args, **kwargs)
            return self._distortion(pipeline)(result)

        return guarded

    def guard_stream(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an async generator."""
        pipeline = site.pipeline

        async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            strikes = switch.periods and switch.strikes(self)
            async with (
                aclosing(call(*args, **kwargs)) as source,
                aclosing(self._struck(source, pipeline) if strikes else source) as items,
            ):
                async for item in items:
                    yield item

        return guarded

    async def _struck(
        self, source: AsyncGenerator[Any, None], pipeline: str
    ) -> AsyncGenerator[Any, None]:
        for _ in range(self.after):
            item = await anext(source, _NOTHING)
            if item is _NOTHING:
                return
            yield item
        if self._delays(pipeline):
            await current_clock().asleep(self.latency)
        if self.cut:
            self._tell(ChaosEffect.CUT, pipeline)
        elif self._answers(pipeline):
            yield self.outcome
        else:
            distort = self._distortion(pipeline)
            async for item in source:
                yield distort(item)

    def _delays(self, pipeline: str) -> bool:
        """Whether to wait first."""
        if self.latency:
            self._tell(ChaosEffect.LATENCY, pipeline)
        return self.latency > 0

    def _answers(self, pipeline: str) -> bool:
        """Whether the outcome takes the place of the call; raise where a fault does."""
        if self.fault is not None:
            self._tell(ChaosEffect.FAULT, pipeline)
            raise self.fault()
        if self.outcome is _NOTHING:
            return False
        self._tell(ChaosEffect.OUTCOME, pipeline)
        return True

    def _distortion(self, pipeline: str) -> Callable[[Any], Any]:
        """Return what takes a result, or each item, and returns what is passed on."""
        if self.corrupt is None:
            return _unchanged
        self._tell(ChaosEffect.CORRUPTION, pipeline)
        return self.corrupt

    def _tell(self, effect: ChaosEffect, pipeline: str) -> None:
        if bus.listeners:
            bus.publish(ChaosInjected(pipeline=pipeline, strategy=self.name, effect=effect))


def _unchanged(result: Any) -> Any:
    return result


def _makes_errors(fault: object) -> bool:
    """Whether it can be called without arguments, as far as can be told without side effects."""
    if not isinstance(fault, type):
        return callable(fault)
    try:
        return isinstance(fault(), BaseException)
    except TypeError:
        return False
