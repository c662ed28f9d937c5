"""What is drawn at random, the same again for the same seed."""

import string
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from random import Random
from typing import Final, TypeVar

from faker import Faker
from faker.providers.address import it_IT

it_IT.Provider.cities.sort()  # they come from a set: each process would have an order of its own
T = TypeVar("T")

_FIRST_BIRTH: Final = date(1935, 1, 1)
_BIRTH_DAYS: Final = 70 * 365
_ALPHANUMERIC: Final = string.ascii_letters + string.digits


class Chance(Random):
    """A source of characters, dates, and of Faker's names and texts."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._seed = seed
        self._fakers: dict[str, Faker] = {}

    def faker(self, locale: str) -> Faker:
        """Return Faker for a language and country."""
        if locale not in self._fakers:
            self._fakers[locale] = Faker(locale)
            self._fakers[locale].seed_instance(f"{self._seed} {locale}")
        return self._fakers[locale]

    def of(self, alphabet: str, count: int) -> str:
        """Return characters of an alphabet."""
        return "".join(self.choices(alphabet, k=count))

    def digits(self, count: int, first: str = string.digits) -> str:
        """Return digits, the first of which is one of some."""
        return self.choice(first) + self.of(string.digits, count - 1)

    def alphanumeric(self, count: int) -> str:
        """Return letters of both cases, and digits."""
        return self.of(_ALPHANUMERIC, count)

    def hexadecimal(self, count: int) -> str:
        return self.of("0123456789abcdef", count)

    def birth(self) -> date:
        """Return the day that somebody was born on who is alive."""
        return _FIRST_BIRTH + timedelta(days=self.randrange(_BIRTH_DAYS))

    def until(self, draw: Callable[[], T | None]) -> T:
        """Return the first thing drawn that is one."""
        while True:
            if (drawn := draw()) is not None:
                return drawn

    def often(self, share: float) -> bool:
        """Return True that often."""
        return self.random() < share


def grouped(text: str, sizes: Sequence[int], by: str) -> str:
    """Return a text in groups of these sizes; what is left over is one more group."""
    groups = []
    for size in sizes:
        groups.append(text[:size])
        text = text[size:]
    return by.join([*groups, text] if text else groups)
