"""What somebody may use, as settings and keys have it."""

import dataclasses
from dataclasses import dataclass
from typing import Final

from stormproof.errors import Problems
from stormproof.recovery.options import check_count, is_number

_MOST_TOKENS: Final = 1_000_000_000
MOST_MONEY: Final = 9_000_000
"""Up to here a billionth of it can be told in the numbers of Redis' scripts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """How much one key, user, address or model, or all together, may use; None: any amount.

    Attributes:
        requests_per_minute: Most requests in a minute, 1 to 1,000,000.
        tokens_per_minute: Most tokens in a minute, of prompts and answers, 1 to 1,000,000,000.
        concurrency: Most requests at once, 1 to 1,000,000.
        money_per_day: Most that may be spent in a day (UTC), in the money of the prices; 0 to
            9,000,000.
        money_per_month: The same in a month of the calendar.

    Raises:
        ValidationErrors: One of them is not in its range.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None
    money_per_day: float | None = None
    money_per_month: float | None = None

    def __post_init__(self) -> None:
        problems = Problems()
        for name in ("requests_per_minute", "concurrency"):
            if (count := getattr(self, name)) is not None:
                check_count(problems, name, count)
        if self.tokens_per_minute is not None:
            check_count(problems, "tokens_per_minute", self.tokens_per_minute, most=_MOST_TOKENS)
        for name in ("money_per_day", "money_per_month"):
            if (money := getattr(self, name)) is not None:
                fine = is_number(money) and 0 <= money <= MOST_MONEY
                problems.check(fine, name, f"must be 0 to {MOST_MONEY:,}", "money")
        problems.raise_if_any("the limits are not valid")

    @property
    def meters(self) -> bool:
        """Whether requests or tokens are limited."""
        rates = self.requests_per_minute or self.tokens_per_minute
        return bool(rates or self.concurrency)

    @property
    def budgets(self) -> bool:
        """Whether money is limited."""
        return self.money_per_day is not None or self.money_per_month is not None

    def over(self, others: "LimitSettings") -> "LimitSettings":
        """Return these, and the others where these say nothing."""
        said = {
            field.name: value
            for field in dataclasses.fields(self)
            if (value := getattr(self, field.name)) is not None
        }
        return dataclasses.replace(others, **said)
