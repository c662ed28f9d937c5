"""Whose turn it is to answer a call, and who goes on when one has failed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from stormproof.recovery.classification import verdict
from stormproof.recovery.deadline import remaining
from stormproof.recovery.events import FailedOver, bus
from stormproof.recovery.retries.attempts import describe
from stormproof.recovery.retries.budget import RetryBudget
from stormproof.recovery.strategy import Site
from stormproof.recovery.targets.target import Route, rest_asked_by
from stormproof.recovery.targets.target_order import FailoverOrder

_SPENT: Final = "the budget is spent"


class Ladder:
    """The targets of a failover and the rules by which one follows another.

    Args:
        routes: The targets, in listed order.
        order: How to choose among healthy ones.
        budget: What bounds the calls of further targets.
        fails_over: Which errors to go on after.
        name: What events call the failover.
    """

    def __init__(
        self,
        *,
        routes: tuple[Route, ...],
        order: FailoverOrder,
        budget: RetryBudget | None,
        fails_over: Callable[[Exception], bool],
        name: str,
    ) -> None:
        self.routes: Final = routes
        self.budget: Final = budget
        self.fails_over: Final = fails_over
        self.name: Final = name
        self._pick: Final = order.pick
        self._turns: Final = {route: self._turn(route, routes) for route in routes}
        self._preferred: Final = self._turns[routes[0]] if order is FailoverOrder.LISTED else None

    @property
    def remembers(self) -> bool:
        """Whether some circuit is gone by as it was last heard of, and is to be asked about."""
        return any(route.breaker.remembers for route in self.routes)

    def chooser(self, site: Site) -> Callable[[tuple[Any, ...], Mapping[str, Any]], "Turn"]:
        """Return what chooses whom to ask first, of those who could serve a call.

        It raises why the first of them could not where nobody could.
        """
        refusals = {
            route: site.substitute(route.target.refuses)
            for route in self.routes
            if route.target.refuses
        }
        if not refusals:
            return lambda _args, _kwargs: self.first()

        def choose(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Turn:
            obstacles: dict[Route, Exception] = {}
            for route, refuses in refusals.items():
                if obstacle := refuses(*args, **kwargs):
                    obstacles[route] = obstacle
            if not obstacles:
                return self.first()
            able = tuple(route for route in self.routes if route not in obstacles)
            if not able:
                raise obstacles[self.routes[0]]
            return self._first_of(able)

        return choose

    def first(self) -> "Turn":
        """Choose whom to ask first."""
        preferred = self._preferred
        if preferred is not None and preferred.route.is_healthy():
            return preferred
        # Where every circuit is open, the one that is open shortest gives its rejection.
        return self._turns[self._choose(self.routes) or min(self.routes, key=Route.rejects_for)]

    def look(self, turn: "Turn", choose: Callable[[], "Turn"]) -> "Turn":
        """Return ``turn``, or whose it is by what other processes have made of the circuits."""
        for _ in self.routes:
            news = [route.breaker.look() for route in self._doubtful(turn)]
            if not any(news):
                break
            turn = choose()
        return turn

    async def alook(self, turn: "Turn", choose: Callable[[], "Turn"]) -> "Turn":
        """Do as ``look`` does, without blocking the event loop."""
        for _ in self.routes:
            news = [await route.breaker.alook() for route in self._doubtful(turn)]
            if not any(news):
                break
            turn = choose()
        return turn

    def _doubtful(self, turn: "Turn") -> list[Route]:
        """Return whom it matters to know more of: who is asked, and who is not for his rest."""
        return [route for route in self.routes if route is turn.route or route.rest()]

    def _first_of(self, able: tuple[Route, ...]) -> "Turn":
        return self._turn(self._choose(able) or min(able, key=Route.rejects_for), able)

    def after(self, turn: "Turn") -> "Turn | None":
        """Choose whom to ask next, None if no circuit lets a call in."""
        route = self._choose(turn.left)
        return None if route is None else self._turn(route, turn.left)

    def _choose(self, left: Sequence[Route]) -> Route | None:
        healthy = [route for route in left if route.is_healthy()]
        if healthy:
            return self._pick(healthy)
        resting = [route for route in left if not route.rejects_for()]
        return min(resting, key=Route.rest, default=None)

    def _turn(self, route: Route, left: Sequence[Route]) -> "Turn":
        return Turn(self, route, tuple(one for one in left if one is not route))


class Turn(NamedTuple):
    """One target is asked; an inner retry may hand over to those that are left."""

    ladder: Ladder
    route: Route
    left: tuple[Route, ...]

    def takes_over(self, error: Exception) -> bool:
        """Whether a healthy target would be asked next if this one failed with ``error``."""
        budget = self.ladder.budget
        return (
            any(route.is_healthy() for route in self.left)
            and (budget is None or budget.balance >= 1)
            and self.ladder.fails_over(error)
        )


class Run:
    """One guarded call that has failed at least once: decides what comes next.

    Attributes:
        error: What the caller gets when nothing does.
    """

    __slots__ = ("_called", "_failed", "_ladder", "_pipeline", "error")

    def __init__(self, ladder: Ladder, pipeline: str) -> None:
        self._ladder = ladder
        self._pipeline = pipeline
        self._failed: list[tuple[Route, Exception]] = []
        self._called = False

    def after(self, turn: Turn, error: Exception) -> Turn | None:
        """Return whose turn it is after ``turn`` failed, None to raise ``self.error``."""
        following, obstacle = self._consider(turn, error)
        budget = self._ladder.budget
        # Asked last: it charges for the call. A rejection was none.
        if following and self._called and budget is not None and not budget.withdraw():
            following, obstacle = None, _SPENT
        return self._conclude(turn, error, following, obstacle)

    async def await_after(self, turn: Turn, error: Exception) -> Turn | None:
        """Do as ``after`` does, with a budget that has to be waited for."""
        following, obstacle = self._consider(turn, error)
        budget = self._ladder.budget
        if following and self._called and budget is not None and not await budget.awithdraw():
            following, obstacle = None, _SPENT
        return self._conclude(turn, error, following, obstacle)

    def _consider(self, turn: Turn, error: Exception) -> tuple[Turn | None, str]:
        """Return whose turn it is, or what stands in the way; nothing, if the error is final."""
        route = turn.route
        self._failed.append((route, error))
        if not route.rejected(error):
            self._called = True
            route.failed(error)
        if not self._ladder.fails_over(error):
            return None, ""
        following = self._ladder.after(turn)
        if following is None:
            return None, "its circuit is open"
        if remaining() == 0:
            return None, "no time is left"
        return following, ""

    def _conclude(
        self, turn: Turn, error: Exception, following: Turn | None, obstacle: str
    ) -> Turn | None:
        if following is not None:
            if bus.listeners:
                self._publish(turn.route, following.route, error)
        elif obstacle:
            best = min((error for _, error in self._failed), key=_wait_for_success)
            left = [f"{one.target.name}: not asked, {obstacle}" for one in turn.left]
            self._give_up(best, left)
        else:
            self._give_up(error, [])
        return following

    def _publish(self, failed: Route, following: Route, error: Exception) -> None:
        bus.publish(
            FailedOver(
                pipeline=self._pipeline,
                strategy=self._ladder.name,
                target=failed.target.name,
                to=following.target.name,
                error=error,
            )
        )

    def _give_up(self, error: Exception, not_asked: list[str]) -> None:
        self.error = error
        if self._called and len(self._failed) + len(not_asked) > 1:
            tried = [f"{route.target.name}: {describe(one)}" for route, one in self._failed]
            _annotate(error, f"{self._pipeline}, target ", tried + not_asked)


def _wait_for_success(error: Exception) -> tuple[bool, float]:
    """Sort errors by how soon another call makes sense after them."""
    said = verdict(error)
    return said is None or not said.retriable, rest_asked_by(error)


def _annotate(error: Exception, prefix: str, story: list[str]) -> None:
    """Leave notes on ``error``, in the place of those of an earlier call: one may be used again."""
    # Through its dictionary: an exception may refuse new attributes, as a frozen dataclass does.
    state = vars(error)
    others = [note for note in state.get("__notes__", ()) if not note.startswith(prefix)]
    state["__notes__"] = others + [prefix + line for line in story]
