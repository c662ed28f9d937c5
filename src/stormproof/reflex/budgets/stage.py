"""The stage that lets calls be made for as much money as somebody may spend."""

from collections.abc import Awaitable, Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct

from stormproof.errors import BudgetExceeded, ConfigurationError
from stormproof.recovery import publish
from stormproof.reflex.budgets.ledger import Claim, Ledger, Payment, Refused, Verdict
from stormproof.reflex.budgets.money import amount, nanos
from stormproof.reflex.budgets.quotes import Quote
from stormproof.reflex.budgets.windows import Calendar
from stormproof.reflex.events import PriceUnknown
from stormproof.reflex.limits.applying import Limits
from stormproof.reflex.limits.work import was_worked_on
from stormproof.reflex.stage import PASSED, Call, Companion, Ending, Outcome, Passed, Rejected

_FREE: Final = Quote()


class Unpriced(StrEnum):
    """What becomes of a call that has a budget to keep, and may be answered at no known price."""

    REJECT = "reject"
    FREE = "free"


class BudgetStage:
    """Money per day and per month: for each key, user, address and model, and all together.

    What a call may cost by its `Quote` is spent of all its budgets together, or of none; when it
    has ended, what it has cost. So budgets are kept exactly as far as the quote is not too low:
    a call that says no `max_tokens` may cost more, and is paid with what others do not get.

    Args:
        limits: What everybody may spend.
        quotes: What each model costs, by what clients call it.
        ledger: What was spent: `LocalLedger`, or `SharedLedger` where several processes share it.
            It outlives the stage when limits change.
        otherwise: What models cost that have no quote; by default nobody knows.
        unpriced: What becomes of a call that nobody can tell the price of.
        calendar: Tells which day it is.
    """

    name = "budget"

    def __init__(
        self,
        limits: Limits,
        quotes: Mapping[str, Quote],
        ledger: Ledger,
        *,
        otherwise: Quote | None = None,
        unpriced: Unpriced = Unpriced.REJECT,
        calendar: Calendar | None = None,
    ) -> None:
        self._limits: Final = limits
        self._quotes: Final = quotes
        self._otherwise: Final = otherwise
        self._ledger: Final = ledger
        self._rejects: Final = unpriced is Unpriced.REJECT
        self._calendar: Final = calendar or Calendar()
        self._said: Final[set[str]] = set()

    def enter(self, call: Call) -> Outcome | Awaitable[Outcome]:
        """Let a call in if its budgets suffice.

        Raises:
            Exception: It cannot be found out what was spent.
        """
        limited = self._limits.of(call).budgeted
        if not limited:
            return PASSED
        model = call.request.model
        quote = self._quotes.get(model, self._otherwise)
        if quote is None or quote.unpriced:
            if self._rejects:
                return Rejected(_no_price())
            if model not in self._said:
                self._say(model)
        quote = quote or _FREE
        spent = self._ledger.spend(limited, self._calendar.windows(), quote.nanos(call.request))
        if isinstance(spent, Struct):
            return self._outcome(spent, quote)
        return self._awaited(spent, quote)

    async def _awaited(self, spending: Awaitable[Verdict], quote: Quote) -> Outcome:
        return self._outcome(await spending, quote)

    def _outcome(self, spent: Verdict, quote: Quote) -> Outcome:
        if isinstance(spent, Refused):
            return Rejected(self._refusal(spent.claim))
        return Passed(_Paying(spent, quote))

    def _say(self, model: str) -> None:
        if model in self._quotes:  # names that clients make up are not remembered
            self._said.add(model)
            publish(PriceUnknown(pipeline=model, strategy=self.name))

    def _refusal(self, claim: Claim) -> BudgetExceeded:
        scope = claim.subject.scope
        return BudgetExceeded(
            budget=scope.value,
            period=claim.window.period.value,
            limit=amount(claim.limit) if scope.own else None,
            retry_after=max(claim.window.ends - self._calendar.now(), 0.0),
        )


class _Paying(Struct, Companion, frozen=True):
    """A call that something was spent for.

    Attributes:
        payment: What was spent.
        quote: What it may cost.
    """

    payment: Payment
    quote: Quote

    def settle(self, ending: Ending) -> None:
        """Take note of what the call has cost."""
        self.payment.settle(self._cost(ending))

    def _cost(self, ending: Ending) -> int:
        journey = ending.journey
        counted = None if journey.cost is None else nanos(journey.cost)
        if counted is not None and ending.error is None:
            return counted
        paid = was_worked_on(ending) and journey.rung not in self.quote.free
        least = self.payment.amount if paid else 0  # a count so far is not the last
        return max(counted or 0, least)


def _no_price() -> ConfigurationError:
    reason = "nobody knows what this model costs, and there is a budget to keep"
    return ConfigurationError(setting="price", reason=reason)
