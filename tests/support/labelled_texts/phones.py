"""Telephone numbers by national numbering plans: areas and lengths, and how people write them."""

from typing import Final, NamedTuple

from stormproof.reflex.pii.finding import Kind
from support.labelled_texts.chance import Chance, grouped
from support.labelled_texts.page import Item


class Plan(NamedTuple):
    """One kind of number of a country.

    Attributes:
        country: Whose it is.
        code: What calls from abroad begin with.
        trunk: What calls from within begin with, before the area.
        areas: Of cities or mobile networks.
        length: How many digits follow the area.
        shapes: How it is written: ``T`` the trunk, ``A`` the area, then groups of digits by size.
        first: What the digits behind the area begin with.
    """

    country: str
    code: str
    trunk: str
    areas: tuple[str, ...]
    length: int
    shapes: tuple[str, ...]
    first: str = "23456789"


_AMERICAN: Final = ("(A) 3-4", "A-3-4", "A.3.4", "A 3 4")
PLANS: Final = (
    Plan("us", "1", "", ("212", "312", "415", "617", "702", "206", "305"), 7, _AMERICAN),
    Plan("ca", "1", "", ("416", "514", "604", "403", "613"), 7, _AMERICAN),
    Plan("gb", "44", "0", ("20",), 8, ("TA 4 4", "(TA) 4 4", "TA44"), "378"),
    Plan("gb", "44", "0", ("7400", "7415", "7912"), 6, ("TA 6", "TA 3 3", "TA6")),
    Plan("de", "49", "0", ("30", "89", "40", "69"), 8, ("TA 8", "TA/8", "(TA) 8", "TA 4 4")),
    Plan("de", "49", "0", ("151", "160", "170", "176"), 8, ("TA 8", "TA/8", "TA-8", "TA8")),
    Plan("fr", "33", "0", ("1", "4", "6", "7"), 8, ("TA 2 2 2 2", "TA.2.2.2.2", "TA8"), "345678"),
    Plan("es", "34", "", ("91", "93", "61", "65"), 7, ("A1 2 2 2", "A1 3 3", "A7")),
    Plan("it", "39", "", ("347", "338", "320"), 7, ("A 3 4", "A 7", "A7")),
    Plan("nl", "31", "0", ("6",), 8, ("TA-8", "TA 8", "TA 2 2 2 2", "TA8"), "12345"),
    Plan("be", "32", "0", ("470", "485", "495"), 6, ("TA 2 2 2", "TA/2.2.2")),
    Plan("ch", "41", "0", ("44", "76", "79"), 7, ("TA 3 2 2",)),
    Plan("at", "43", "0", ("664", "676", "699"), 7, ("TA 7", "TA/7")),
    Plan("se", "46", "0", ("70", "73", "76"), 7, ("TA-3 2 2", "TA 3 2 2")),
    Plan("no", "47", "", ("41", "92", "45"), 6, ("A1 2 3", "A 2 2 2")),
    Plan("dk", "45", "", ("20", "31", "42"), 6, ("A 2 2 2",)),
    Plan("fi", "358", "0", ("40", "44", "50"), 7, ("TA 3 4", "TA 7")),
    Plan("pl", "48", "", ("501", "602", "690"), 6, ("A 3 3", "A-3-3")),
    Plan("pt", "351", "", ("91", "93", "96"), 7, ("A1 3 3",)),
    Plan("br", "55", "", ("11", "21", "31"), 9, ("(A) 5-4", "A 5-4"), "9"),
    Plan("in", "91", "0", ("98", "99", "70"), 8, ("A3 5", "TA3 5", "A8")),
    Plan("au", "61", "0", ("4",), 8, ("TA2 3 3", "TA8"), "0123"),
    Plan("jp", "81", "0", ("90", "80"), 8, ("TA-4-4",)),
    Plan("kr", "82", "0", ("10",), 8, ("TA-4-4",)),
    Plan("cn", "86", "", ("138", "139", "186"), 8, ("A 4 4", "A8")),
    Plan("za", "27", "0", ("82", "83", "72"), 7, ("TA 3 4",)),
)
_NAMES: Final = ("phone", "phone number", "mobile", "Tel.", "telephone", "cell")


def phone(chance: Chance) -> Item:
    plan = chance.choice(PLANS)
    digits = chance.digits(plan.length, plan.first)
    if chance.often(0.5):
        text = _international(chance, plan, digits)
    else:
        text = _shaped(chance.choice(plan.shapes), plan, digits)
    return Item(Kind.PHONE, plan.country, chance.choice(_NAMES), text)


def _international(chance: Chance, plan: Plan, digits: str) -> str:
    """Return a number as ITU-T E.164 and E.123 have it, or as people do."""
    area = chance.choice(plan.areas)
    number = area + digits
    first = chance.choice((3, 4))
    rest = digits[:first], digits[first:]
    shapes = [
        f"+{plan.code}{number}",
        f"+{plan.code} {area} {digits}",
        f"+{plan.code} {area} {rest[0]} {rest[1]}",
        f"+{plan.code}-{area}-{rest[0]}-{rest[1]}",
    ]
    if plan.code != "1":  # where abroad begins with 011
        shapes.append(f"00{plan.code} {area} {digits}")
    if plan.trunk:
        shapes.append(f"+{plan.code} ({plan.trunk}){area} {rest[0]} {rest[1]}")
    return chance.choice(shapes)


def _shaped(shape: str, plan: Plan, digits: str) -> str:
    """Return digits in a shape's groups."""
    text, left = "", digits
    area = plan.areas[int(digits) % len(plan.areas)]
    for mark in shape:
        if mark.isdigit():
            text, left = text + left[: int(mark)], left[int(mark) :]
        else:
            text += {"T": plan.trunk, "A": area}.get(mark, mark)
    return text


def mistyped(chance: Chance) -> Item:
    """Return what is grouped like a telephone number, and is too short, long or low for one."""
    text = chance.choice(
        (
            f"{chance.digits(3, '01')}-{chance.digits(2)}",
            f"{chance.digits(4)}-{chance.digits(4)}-{chance.digits(4)}-{chance.digits(4)}-{chance.digits(4)}",
            grouped(chance.digits(6), (2, 2, 2), "-"),
            f"{chance.digits(2)}/{chance.digits(4)}",
        )
    )
    return Item(None, "mistyped phone", chance.choice(("part number", "case", "batch")), text)
