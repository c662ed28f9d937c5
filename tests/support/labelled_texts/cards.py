"""Payment cards: ranges of the networks, as they publish them."""

from typing import Final, NamedTuple

from stormproof.reflex.pii.finding import Kind
from support.labelled_texts.chance import Chance, grouped
from support.labelled_texts.check_digits import luhn
from support.labelled_texts.page import Item


class Network(NamedTuple):
    """Whose cards begin how, and have how many digits."""

    name: str
    ranges: tuple[tuple[int, int], ...]
    length: int
    groups: tuple[int, ...] = (4, 4, 4)


NETWORKS: Final = (
    Network("visa", ((4, 4),), 16),
    Network("mastercard", ((51, 55), (2221, 2720)), 16),
    Network("amex", ((34, 34), (37, 37)), 15, (4, 6)),
    Network("discover", ((6011, 6011), (644, 649), (65, 65)), 16),
    Network("diners", ((300, 305), (36, 36), (38, 38)), 14, (4, 6)),
    Network("jcb", ((3528, 3589),), 16),
    Network("unionpay", ((62, 62),), 16),
)
_OFTEN: Final = (40, 30, 10, 5, 5, 5, 5)
_NAMES: Final = ("card number", "credit card", "card", "Kreditkarte", "carte bancaire", "tarjeta")


def number(chance: Chance) -> tuple[Network, str]:
    """Return a number without its check digit."""
    [network] = chance.choices(NETWORKS, _OFTEN)
    prefix = str(chance.randint(*chance.choice(network.ranges)))
    return network, prefix + chance.digits(network.length - len(prefix) - 1)


def written(chance: Chance, network: Network, digits: str) -> str:
    """Return a number as people write it: together, or in groups."""
    by = chance.choice(("", " ", " ", "-"))
    return grouped(digits, network.groups, by)


def card(chance: Chance) -> Item:
    network, digits = number(chance)
    text = written(chance, network, digits + luhn(digits))
    return Item(Kind.CARD, network.name, chance.choice(_NAMES), text)


def mistyped(chance: Chance) -> Item:
    """Return what is one digit away from a card's number."""
    network, digits = number(chance)
    wrong = (int(luhn(digits)) + chance.randint(1, 9)) % 10
    text = written(chance, network, f"{digits}{wrong}")
    return Item(None, "mistyped card", "voucher number", text)
