"""The shape of strategies that let calls in at a rate.

A call is priced by its arguments, waits for its turn at a turnstile, and may be metered by its
result. What the other side says about the rate is folded in, as far as it is less than our own.
"""

from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

from stormproof.errors import PartialOutput, Problems, RateLimitExceeded
from stormproof.recovery.classification import Verdict, origin, verdict
from stormproof.recovery.clock import current_clock
from stormproof.recovery.deadline import remaining
from stormproof.recovery.events import CallRejected, CallWaited, bus
from stormproof.recovery.limits.bells import TaskBell, ThreadBell
from stormproof.recovery.limits.bucket import Allowance
from stormproof.recovery.limits.metering import Meter, Price
from stormproof.recovery.limits.rate_headers import ServerLimits, read_limits
from stormproof.recovery.limits.turnstile import Place, Turnstile
from stormproof.recovery.sharing.store import Steps, Store, arun, run
from stormproof.recovery.strategy import Call, Site, Strategy

if TYPE_CHECKING:
    from stormproof.recovery.sharing.shared_turnstile import SharedTurnstile

_LONGEST_PAUSE: Final = 60.0


class Limiter(Strategy):
    """A strategy that lets calls in at a rate.

    Attributes:
        name: What is protected.
        period: Seconds in which the full amount comes.
        max_wait: Seconds, the longest wait.
        store: Where the permits are, if several processes share them.
    """

    name: str
    period: float
    max_wait: float
    store: Store | None
    _turnstile: Turnstile

    @abstractmethod
    def _price(self) -> Price | None:
        """Return what tells the cost of a call; None if every call costs 1."""

    @abstractmethod
    def _open_meter(self) -> Callable[[str], Meter] | None:
        """Return what makes the meter of a call, given the pipeline's name; None without any."""

    @abstractmethod
    def _heed(self, told: ServerLimits, cost: float) -> None:
        """Have no more left than the server says, and after a pause no more than ``cost``."""

    @abstractmethod
    def _exceeded(self, wait: float) -> RateLimitExceeded:
        """Return the error of a call that is turned away."""

    @property
    def waiting(self) -> int:
        """How many calls wait now."""
        return self._turnstile.waiting

    def observe(self, headers: Mapping[str, str]) -> None:
        """Fold in what the headers of a response say about the server's limits.

        They can only make less be left than we thought: somebody else may use the same key. What
        makes no sense is ignored.

        Args:
            headers: Those of any response, also one that is an error.
        """
        self._obey(read_limits(headers), 1.0)

    def guard_call(self, call: Call, site: Site) -> Call:
        """Guard a sync function."""
        enter, price, open_meter, pipeline = self._parts(site)

        def guarded(*args: Any, **kwargs: Any) -> Any:
            cost = price(*args, **kwargs) if price else 1.0
            if not enter(cost):
                self._wait(cost, pipeline)
            try:
                result = call(*args, **kwargs)
            except Exception as error:
                self._learn(verdict(error), cost)
                raise
            if open_meter:
                meter = open_meter(pipeline)
                meter.read(result)
                self._settle(cost, meter)
            return result

        return guarded

    def guard_coroutine(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an awaitable."""
        enter, price, open_meter, pipeline = self._parts(site)

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            cost = price(*args, **kwargs) if price else 1.0
            if not enter(cost):
                await self._await(cost, pipeline)
            try:
                result = await call(*args, **kwargs)
            except Exception as error:
                self._learn(verdict(error), cost)
                raise
            if open_meter:
                meter = open_meter(pipeline)
                meter.read(result)
                self._settle(cost, meter)
            return result

        return guarded

    def guard_stream(self, call: Call, site: Site) -> Call:
        """Guard a function that returns an async generator: let in with its first item."""
        enter, price, open_meter, pipeline = self._parts(site)

        async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            cost = price(*args, **kwargs) if price else 1.0
            if not enter(cost):
                await self._await(cost, pipeline)
            meter = open_meter(pipeline) if open_meter else None
            begun = False
            try:
                async with aclosing(call(*args, **kwargs)) as items:
                    async for item in items:
                        begun = True
                        if meter:
                            meter.read(item)
                        yield item
            except Exception as error:
                self._learn(verdict(error), cost, begun=begun)
                raise
            if meter:
                self._settle(cost, meter)

        return guarded

    def _parts(
        self, site: Site
    ) -> tuple[Callable[[float], bool], Call | None, Callable[[str], Meter] | None, str]:
        price = self._price()
        priced = price and site.substitute(price)
        return self._turnstile.enter, priced, self._open_meter(), site.pipeline

    def _turnstile_of(self, allowance: Allowance) -> Turnstile:
        """Return the turnstile in front of ``allowance``, or of what stands for it in a store."""
        if self.store is None:
            return Turnstile(allowance)
        from stormproof.recovery.sharing.shared_turnstile import SharedTurnstile  # noqa: PLC0415 - rare

        return SharedTurnstile(allowance, self.store, self.name)

    def _wait(self, cost: float, pipeline: str) -> None:
        if self.store is not None:
            wait = run(self.store, self._taken(cost, pipeline))
            if wait is not None:
                if wait:
                    with self._shared.waiting_for(cost):
                        current_clock().sleep(wait)
                self._came_in(wait, pipeline)
                return
        with self._in_line(cost, pipeline) as place:
            while seconds := self._turnstile.look(place, bell := ThreadBell()):
                bell.wait(seconds)

    async def _await(self, cost: float, pipeline: str) -> None:
        if self.store is not None:
            wait = await arun(self.store, self._taken(cost, pipeline))
            if wait is not None:
                if wait:
                    with self._shared.waiting_for(cost):
                        await current_clock().asleep(wait)
                self._came_in(wait, pipeline)
                return
        with self._in_line(cost, pipeline) as place:
            while seconds := self._turnstile.look(place, bell := TaskBell()):
                await bell.wait(seconds)

    @property
    def _shared(self) -> "SharedTurnstile":
        return cast("SharedTurnstile", self._turnstile)

    def _taken(self, cost: float, pipeline: str) -> Steps[float | None]:
        """Take a call's permits from the store; return the wait for them, None without a store."""
        longest = self._longest()
        wait = yield from self._shared.take(cost, longest)
        if wait is not None and wait > longest:
            raise self._reject(wait, pipeline)
        return wait

    def _came_in(self, waited: float, pipeline: str) -> None:
        if bus.listeners and waited:
            bus.publish(CallWaited(pipeline=pipeline, strategy=self.name, wait=waited))

    def _longest(self) -> float:
        left = remaining()
        return self.max_wait if left is None else min(self.max_wait, left)

    @contextmanager
    def _in_line(self, cost: float, pipeline: str) -> Iterator[Place]:
        """Stand in line, and leave it admitted or with an error."""
        place = Place(cost, self._longest())
        begun = current_clock().now()
        wait = self._turnstile.join(place)
        if wait > place.longest:
            raise self._reject(wait, pipeline)
        try:
            yield place
        except BaseException:
            self._turnstile.leave(place)
            raise
        if not place.admitted:
            raise self._reject(self._turnstile.foresee(cost), pipeline)
        self._came_in(current_clock().now() - begun, pipeline)

    def _reject(self, wait: float, pipeline: str) -> RateLimitExceeded:
        if bus.listeners:
            bus.publish(CallRejected(pipeline=pipeline, strategy=self.name, retry_after=wait))
        return self._exceeded(wait)

    def _check_store(self, problems: Problems) -> None:
        fine = self.store is None or isinstance(self.store, Store)
        problems.check(fine, "store", "must be a store, such as RedisStore", "store")

    def _settle(self, cost: float, meter: Meter) -> None:
        if meter.used is not None:
            self._turnstile.charge(meter.used - cost)

    def _learn(self, said: Verdict | None, cost: float, *, begun: bool = False) -> None:  # noqa: ARG002
        """Learn what the error of a call says, and whether its stream had begun."""
        if isinstance(said, PartialOutput):
            said = verdict(origin(said))
        # One that names a window is the rejection of one call by a limit of our own.
        if isinstance(said, RateLimitExceeded) and said.retry_after and said.window is None:
            self._obey(ServerLimits(pause=said.retry_after), cost)

    def _obey(self, told: ServerLimits, cost: float) -> None:
        self._heed(told._replace(pause=min(told.pause, max(self.period, _LONGEST_PAUSE))), cost)
