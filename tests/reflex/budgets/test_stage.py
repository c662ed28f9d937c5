"""Money per day and per month."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from stormproof.errors import (
    BudgetExceeded,
    ConfigurationError,
    InvalidInput,
    NetworkError,
    StormproofError,
    http_headers,
)
from stormproof.providers import Journey
from stormproof.recovery import Event, subscribe
from stormproof.reflex import (
    Balances,
    BudgetStage,
    Caller,
    Companion,
    Ending,
    Limits,
    LimitSettings,
    LocalLedger,
    Passed,
    PriceUnknown,
    Quote,
    Rejected,
    Scope,
    Subject,
    Unpriced,
)
from stormproof.reflex.budgets.windows import Calendar
from support.reflex_calls import CALLER, answered, call, entered, failed

QUOTES = {
    "m": Quote(0.0, 1_000_000.0, free=frozenset({"engine"})),
    "free": Quote(),
    "unpriced": Quote(unpriced=("local/c",)),
}
"""A token of an answer costs 1."""


class Time:
    """The wall clock."""

    def __init__(self, text: str = "2026-11-21T12:00") -> None:
        self.set(text)

    def set(self, text: str) -> None:
        self.now = datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.now


class Books:
    """What was spent before, by anybody; asked for it, it says so after others had a turn."""

    def __init__(self, nanos: int) -> None:
        self.nanos = nanos
        self.asked: list[tuple[Subject, datetime]] = []
        self.broken = False

    async def spent(self, subject: Subject, since: datetime) -> int:
        self.asked.append((subject, since))
        await asyncio.sleep(0)
        if self.broken:
            raise OSError("disk on fire")
        return self.nanos


def stage(
    limits: Mapping[str, LimitSettings] | None = None,
    *,
    ledger: LocalLedger | None = None,
    time: Time | None = None,
    unpriced: Unpriced = Unpriced.REJECT,
    **scopes: LimitSettings,
) -> BudgetStage:
    return BudgetStage(
        Limits({Scope(name): one for name, one in (limits or scopes).items()}),
        QUOTES,
        ledger or LocalLedger(Balances()),
        unpriced=unpriced,
        calendar=Calendar(time or Time()),
    )


def a_day(money: float) -> LimitSettings:
    return LimitSettings(money_per_day=money)


async def let_in(stage: BudgetStage, caller: Caller = CALLER, **asked: Any) -> Companion:
    outcome = await entered(stage, call(caller, **asked))
    assert isinstance(outcome, Passed)
    assert outcome.companion
    return outcome.companion


async def refused(stage: BudgetStage, caller: Caller = CALLER, **asked: Any) -> StormproofError:
    outcome = await entered(stage, call(caller, **asked))
    assert isinstance(outcome, Rejected)
    return outcome.error


async def test_of_a_thousand_calls_at_once_as_many_pass_as_are_paid_for() -> None:
    """Exactly, whatever they wait for in between."""
    budget = stage(key=a_day(100), all=a_day(1000))

    async def ask() -> bool:
        outcome = await entered(budget, call(tokens=1))
        await asyncio.sleep(0)
        if isinstance(outcome, Passed) and outcome.companion:
            outcome.companion.settle(answered(1, cost=1.0))
            return True
        return False

    assert sum(await asyncio.gather(*(ask() for _ in range(1000)))) == 100


async def test_the_estimate_is_corrected_to_what_the_call_has_cost() -> None:
    """What it did not need, others can spend; what it took beyond, they cannot."""
    budget = stage(key=a_day(100))
    companion = await let_in(budget, tokens=80)
    await refused(budget, tokens=21)
    companion.settle(answered(30, cost=30.0))
    companion = await let_in(budget, tokens=70)
    companion.settle(answered(90, cost=90.0))
    await refused(budget, tokens=1)


async def test_small_costs_add_up_without_drifting() -> None:
    """Ten times a tenth is one, and not a little less."""
    budget = stage(key=a_day(1.0))
    for _ in range(10):
        companion = await let_in(budget, model="free")
        companion.settle(answered(1, cost=0.1))
    await refused(budget, tokens=1)


async def test_what_one_budget_refuses_the_others_have_left() -> None:
    """All together, or none."""
    budget = stage(key=a_day(100), user=a_day(10))
    for _ in range(20):
        await refused(budget, tokens=11)
    for user in "abcdefghij":
        await let_in(budget, Caller("acme", "key", user), tokens=10)
    await refused(budget, Caller("acme", "key", "k"), tokens=1)


async def test_a_refusal_says_which_budget_and_when_another_begins() -> None:
    """The caller's own is told; what all share is not."""
    time = Time("2026-11-30T18:00")
    own = stage(time=time, key=LimitSettings(money_per_day=5.0, money_per_month=5.0))
    error = await refused(own, tokens=6)
    assert isinstance(error, BudgetExceeded)
    assert (error.budget, error.period, error.limit) == ("key", "day", 5.0)
    assert http_headers(error)["retry-after"] == str(6 * 3600)
    assert not error.retriable
    shared = await refused(stage(time=time, all=a_day(5.0)), tokens=6)
    assert shared.details == {"budget": "all", "period": "day"}


async def test_of_two_budgets_that_do_not_suffice_the_later_one_says_when() -> None:
    """Before it begins, waiting helps nobody."""
    month = LimitSettings(money_per_day=5.0, money_per_month=5.0)
    error = await refused(stage(key=month), tokens=6)
    assert isinstance(error, BudgetExceeded)
    assert error.period == "month"


async def test_a_new_day_has_a_new_budget_and_the_month_goes_on() -> None:
    """In UTC."""
    time = Time("2026-11-21T23:59")
    budget = stage(time=time, key=LimitSettings(money_per_day=10, money_per_month=15))
    await let_in(budget, tokens=10)
    await refused(budget, tokens=1)
    time.set("2026-11-22T00:00")
    await let_in(budget, tokens=5)
    error = await refused(budget, tokens=1)
    assert isinstance(error, BudgetExceeded)
    assert error.period == "month"


@pytest.mark.parametrize(
    ("before", "after", "limits"),
    [
        ("2026-11-21T23:59", "2026-11-22T00:00", a_day(10)),
        ("2026-11-30T23:59", "2026-12-01T00:00", LimitSettings(money_per_month=10)),
    ],
    ids=["day", "month"],
)
async def test_a_clock_that_is_set_back_gives_nobody_a_second_budget(
    before: str, after: str, limits: LimitSettings
) -> None:
    """Neither for what was before nor for what is now, however often it goes to and fro."""
    time = Time(before)
    budget = stage(time=time, key=limits)
    await let_in(budget, tokens=7)
    time.set(after)
    await let_in(budget, tokens=6)
    for moment, left in ((before, 3), (after, 4), (before, 0), (after, 0)):
        time.set(moment)
        await refused(budget, tokens=left + 1)
        if left:
            await let_in(budget, tokens=left)


async def test_a_call_is_paid_on_the_day_on_which_it_began() -> None:
    """What it did not need is no gift to the next."""
    time = Time("2026-11-21T23:59")
    budget = stage(time=time, key=a_day(10))
    companion = await let_in(budget, tokens=10)
    time.set("2026-11-22T00:00")
    companion.settle(answered(1, cost=1.0))
    await let_in(budget, tokens=10)
    await refused(budget, tokens=1)


@pytest.mark.parametrize(
    ("ending", "spent"),
    [
        (failed(InvalidInput(reason="hostile"), asked=()), 0),
        (failed(NetworkError(reason="refused")), 0),
        (failed(asyncio.CancelledError()), 10),
        (answered(None), 10),
        (answered(5, rung="engine"), 0),
        (Ending(Journey(asked=["r"], rung="r", degraded=True), None, None, private=False), 0),
        (answered(5, cost=2.5), 2.5),
        (answered(5, cost=2.5, error=asyncio.CancelledError()), 10),
        (answered(5, cost=12, error=NetworkError(reason="cut")), 12),
    ],
    ids=[
        *("turned away", "unreachable", "gone", "uncounted", "engine", "degraded", "priced"),
        *("cut off", "cut off late"),
    ],
)
async def test_a_call_costs_what_was_done_for_it(ending: Ending, spent: float) -> None:
    """Where somebody may have worked and nobody told all tokens, what it may have cost."""
    budget = stage(key=a_day(20))
    companion = await let_in(budget, tokens=10)
    companion.settle(ending)
    for _ in range(int(20 - spent)):
        await let_in(budget, tokens=1)
    await refused(budget, tokens=1)


@pytest.mark.parametrize("model", ["unpriced", "unknown"])
async def test_where_nobody_knows_the_price_no_budget_is_spent(model: str) -> None:
    """The call is rejected: it is the settings that are wrong. Without a budget it is not."""
    assert isinstance(await refused(stage(key=a_day(100)), model=model), ConfigurationError)
    assert stage().enter(call(model=model)) == Passed()


async def test_what_has_no_quote_may_be_known_to_cost_nothing() -> None:
    """The models of this process are such."""
    limits, ledger = Limits({Scope.ALL: a_day(0)}), LocalLedger(Balances())
    budget = BudgetStage(limits, QUOTES, ledger, otherwise=Quote())
    await let_in(budget, model="local")
    assert isinstance(await refused(budget, model="unpriced"), ConfigurationError)


async def test_it_may_be_taken_for_free_and_is_told_once() -> None:
    """As an event."""
    budget, heard = stage(key=a_day(1), unpriced=Unpriced.FREE), list[Event]()
    end = subscribe(heard.append)
    try:
        for _ in range(3):
            await let_in(budget, tokens=1000, model="unpriced")
    finally:
        end()
    assert heard == [PriceUnknown(pipeline="unpriced", strategy="budget")]


async def test_budgets_begin_with_what_the_books_say() -> None:
    """They are asked once for each budget, however many calls wait for it."""
    books = Books(95 * 10**9)
    month = LimitSettings(money_per_day=100, money_per_month=1000)
    budget = stage(ledger=LocalLedger(Balances(books)), key=month)
    outcomes = await asyncio.gather(*(entered(budget, call(tokens=1)) for _ in range(20)))
    assert sum(isinstance(outcome, Passed) for outcome in outcomes) == 5
    key = Subject(Scope.KEY, "acme", "key")
    assert books.asked == [
        (key, datetime(2026, 11, 21, tzinfo=UTC)),
        (key, datetime(2026, 11, 1, tzinfo=UTC)),
    ]


async def test_where_it_is_known_what_was_spent_nothing_is_waited_for() -> None:
    """Neither by who is let in, nor by who is refused."""
    budget = stage(ledger=LocalLedger(Balances(Books(0))), key=a_day(3))
    await let_in(budget, tokens=1)
    assert isinstance(budget.enter(call(tokens=2)), Passed)
    assert isinstance(budget.enter(call(tokens=1)), Rejected)


async def test_books_that_cannot_be_read_are_an_error_of_the_stage() -> None:
    """Which the line knows what to do with; the next call tries again."""
    books = Books(0)
    books.broken = True
    budget = stage(ledger=LocalLedger(Balances(books)), key=a_day(100))
    with pytest.raises(OSError, match="fire"):
        await entered(budget, call())
    books.broken = False
    await let_in(budget)


async def test_a_caller_who_goes_does_not_keep_others_from_the_books() -> None:
    """Who waits with him gets them all the same."""
    budget = stage(ledger=LocalLedger(Balances(Books(0))), key=a_day(100))
    gone, stays = (asyncio.ensure_future(entered(budget, call())) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    assert isinstance(await stays, Passed)


async def test_who_was_forgotten_is_looked_up_again() -> None:
    """So forgetting gives nobody new money where there are books."""
    books = Books(0)
    budget = stage(ledger=LocalLedger(Balances(books, most=1)), user=a_day(10))
    await let_in(budget, Caller("t", None, "ann"))
    books.nanos = 10 * 10**9
    await refused(budget, Caller("t", None, "bob"), tokens=1)
    await refused(budget, Caller("t", None, "ann"), tokens=1)


async def test_other_limits_hold_from_the_next_call_on() -> None:
    """What was spent stays spent."""
    ledger = LocalLedger(Balances())
    await let_in(stage(ledger=ledger, key=a_day(10)), tokens=10)
    more = stage(ledger=ledger, key=LimitSettings(money_per_day=15, money_per_month=100))
    await let_in(more, tokens=5)
    await refused(more, tokens=1)


async def test_what_costs_nothing_may_be_asked_with_nothing_left() -> None:
    """A budget is about money."""
    budget = stage(key=a_day(0))
    await refused(budget, tokens=1)
    await let_in(budget, model="free")
