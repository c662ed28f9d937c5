"""What looks personal or secret, and is neither."""

import string
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from support.labelled_texts import cards, identities, numbering, phones, tax_numbers
from support.labelled_texts import ibans as accounts
from support.labelled_texts.chance import Chance, grouped
from support.labelled_texts.check_digits import ean
from support.labelled_texts.contacts import day
from support.labelled_texts.page import Item

_EPOCH: Final = datetime(2024, 1, 1, tzinfo=UTC)
_CHECKED: Final = (identities.spanish, identities.polish, tax_numbers.brazilian, identities.swiss)


def _of(name: str, draw: Callable[[Chance], str]) -> Callable[[Chance], Item]:
    return lambda chance: Item(None, name, name, draw(chance))


def moment(chance: Chance) -> datetime:
    """Return when something happened."""
    return _EPOCH + timedelta(seconds=chance.randrange(90_000_000))


def uuid(chance: Chance) -> str:
    return str(UUID(int=chance.getrandbits(128), version=4))


def _version(chance: Chance) -> str:
    major, minor, patch = chance.randint(0, 20), chance.randint(0, 40), chance.randint(0, 30)
    build = chance.randint(256, 30_000)
    return chance.choice(
        (
            f"v{major}.{minor}.{patch}",
            f"{major}.{minor}.{patch}-rc.{chance.randint(1, 9)}",
            f"{major}.{minor}.{build}.{patch}",
            f"{major}.{minor}.{patch}+build.{build}",
        )
    )


def _hash(chance: Chance) -> str:
    return chance.hexadecimal(chance.choice((7, 32, 40, 64)))


def _order(chance: Chance) -> str:
    return chance.choice(
        (
            f"ORD-{moment(chance):%Y}-{chance.digits(7)}",
            f"#{chance.digits(8)}",
            f"A{chance.digits(9)}",
            f"{chance.digits(3)}-{chance.digits(7)}-{chance.digits(7)}",
        )
    )


def _book(chance: Chance) -> str:
    digits = f"978{chance.digits(9)}"
    return grouped(digits + ean(digits), (3, 1, 4, 4, 1), "-")


def _date(chance: Chance) -> str:
    return day(chance, moment(chance).date())


def _placeholder(chance: Chance) -> str:
    return chance.choice(
        ("YOUR_API_KEY", "sk-...", "${API_TOKEN}", "<token>", "********", "xoxb-your-token")
    )


def _handle(chance: Chance) -> str:
    """Return what has an at sign, and is nobody's address."""
    version = f"{chance.randint(1, 20)}.{chance.randint(0, 9)}.{chance.randint(0, 9)}"
    return chance.choice(
        (
            f"react@{version}",
            "git@github.com:acme/app.git",
            "icon@2x.png",
            "иконка@2x.png",
            "@dataclass",
            "@маша",
        )
    )


def _measured(chance: Chance) -> str:
    return chance.choice(
        (
            f"{chance.random():.4f}, {chance.random():.4f}",
            _constants(chance),
            f"{chance.uniform(1, 99):.1f} x {chance.uniform(1, 99):.1f} mm",
            f"{chance.uniform(1, 9999):,.2f} EUR",
            f"{chance.randint(1, 23)}:{chance.randint(10, 59)}:{chance.randint(10, 59)}",
        )
    )


def _constants(chance: Chance) -> str:
    """Return two numbers, as precise as places are told."""
    digits = chance.randint(4, 8)
    one, other = chance.uniform(-9.9, 9.9), chance.uniform(0, 9.9)
    return chance.choice(
        ("{:.{d}f}, {:.{d}f}", "{:.{d}f},{:.{d}f}", "({:.{d}f}, {:.{d}f})")
    ).format(one, other, d=digits)


def _identifier(chance: Chance) -> str:
    prefix = chance.choice(("req", "cus", "price", "evt", "run"))
    return f"{prefix}_{chance.alphanumeric(24)}"


def _public_key(chance: Chance) -> str:
    body = chance.of(string.ascii_letters + string.digits + "+/", 128)
    lines = grouped(body, (64, 64), "\n")
    return f"-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----"


def _mistyped_identity(chance: Chance) -> Item:
    """Return what is one character away from somebody's number."""
    text = chance.choice(_CHECKED)(chance).text
    last = text[-1]
    alphabet = string.digits if last.isdigit() else "ABCDEFGHJKLMNPQRSTVWXYZ"
    wrong = chance.choice(alphabet.replace(last, ""))
    return Item(None, "mistyped identity", "article", text[:-1] + wrong)


MAKERS: Final[Sequence[Callable[[Chance], Item]]] = (
    cards.mistyped,
    accounts.mistyped,
    phones.mistyped,
    _mistyped_identity,
    _of("order number", _order),
    _of("firmware", _version),
    _of("installed release", numbering.release),
    _of("reference", numbering.part),
    _of("netmask", numbering.mask),
    _of("checksum", _hash),
    _of("request id", uuid),
    _of("ISBN", _book),
    _of("meeting date", _date),
    _of("due date", _date),
    _of("example value", _placeholder),
    _of("dependency", _handle),
    _of("measurement", _measured),
    _of("object id", _identifier),
    _of("transaction hash", lambda chance: f"0x{chance.hexadecimal(64)}"),
    _of("timestamp", lambda chance: f"{moment(chance):%Y-%m-%dT%H:%M:%S}Z"),
    _of(
        "tracking number",
        lambda chance: f"1Z{chance.of(string.ascii_uppercase, 6)}{chance.digits(10)}",
    ),
    _of("public key", _public_key),
)
