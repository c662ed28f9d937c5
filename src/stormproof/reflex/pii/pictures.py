"""Numbers found by their pictures: cards, and what states give to people and companies.

A picture is a number's form: ``9`` stands for a digit, ``A`` for a letter, all else for itself. Some
forms say enough by themselves, together with their check digits; others are those of too much else,
and count only near words that tell what they are.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from string import ascii_letters, digits
from typing import Final, NamedTuple

from stormproof.reflex.pii.context import words_above, words_near
from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.recogniser import Recogniser, stands_alone

_RUN: Final = (
    r"\b(?:[A-Za-z]{1,6}-?|(?:[A-Z]{2,3} ){1,2})?"
    r"\d(?:[A-Za-z]{0,7}[ ./+-]?[A-Za-z]{0,2}\d){5,}(?:[ -]?[A-Za-z]{1,4}\b)?"
    r"|\b[A-Za-z]{5}\d{4}[A-Za-z]\b"
)
"""Six digits and more, with letters and single marks between them; or an Indian PAN."""

_SIGN: Final = (
    r"\d[ ./+-]?\d[ ./+-]?\d[ ./+-]?\d[ ./+-]?\d[ ./+-]?\d"
    r"|\d[A-Za-z]\d\d[A-Za-z]\d\d|[A-Za-z]{5}\d{4}"
)
_PICTURE: Final = str.maketrans(dict.fromkeys(digits, "9") | dict.fromkeys(ascii_letters, "A"))
_BLOCK: Final = re.compile("[9A]+")


class Identifier(NamedTuple):
    """A kind of number.

    Attributes:
        kind: What it is.
        giver: Who gives it: a country, by ISO 3166, or the name of a card's network.
        valid: Whether what has the form is such a number.
        telling: The forms that need no words.
        vague: The forms that do.
        words: What stands near those, in small letters; pairs of words are joined by a space.
    """

    kind: Kind
    giver: str | None
    valid: Callable[[str], bool]
    telling: frozenset[str]
    vague: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()


def recogniser(identifiers: Collection[Identifier]) -> Recogniser:
    """Return what finds numbers of some kinds."""
    return Recogniser(
        frozenset(one.kind for one in identifiers), _SIGN, _RUN, _Numbers(identifiers).among
    )


class _Numbers:
    """Tells what a run of digits, letters and marks holds."""

    def __init__(self, identifiers: Collection[Identifier]) -> None:
        self._by_picture = _by_picture(identifiers)
        self._beginnings = frozenset(
            picture[: block.end()]
            for picture in self._by_picture
            for block in _BLOCK.finditer(picture)
        )

    def among(self, text: str, start: int, end: int) -> Iterator[Finding]:
        """Yield the numbers between two places of a text."""
        picture = text[start:end].translate(_PICTURE)
        blocks = [block.span() for block in _BLOCK.finditer(picture)]
        free = 0
        for index, (first, _) in enumerate(blocks):
            if first < free:
                continue
            for last in reversed(self._ends(picture, first, blocks, index)):
                pictured = self._by_picture[picture[first:last]]
                if found := _first_valid(pictured, text, start + first, start + last):
                    yield found
                    free = last
                    break

    def _ends(
        self, picture: str, first: int, blocks: list[tuple[int, int]], index: int
    ) -> list[int]:
        """Return where something may end that begins with a block."""
        ends = []
        for _, last in blocks[index:]:
            if picture[first:last] not in self._beginnings:
                break
            if picture[first:last] in self._by_picture:
                ends.append(last)
        return ends


def _by_picture(identifiers: Collection[Identifier]) -> Mapping[str, list[tuple[Identifier, bool]]]:
    """Return what may have a form, and whether the form tells so; those that tell come first."""
    pictured = defaultdict(list)
    for identifier in identifiers:
        for picture in identifier.telling:
            pictured[picture].insert(0, (identifier, True))
        for picture in identifier.vague:
            pictured[picture].append((identifier, False))
    return dict(pictured)


def _first_valid(
    pictured: Iterable[tuple[Identifier, bool]], text: str, start: int, end: int
) -> Finding | None:
    if not stands_alone(text, start, end) or text[max(0, start - 1) : start] == "+":
        return None
    number, context = text[start:end], _Context(text, start, end)
    for identifier, telling in pictured:
        if (telling or context.has(identifier.words)) and identifier.valid(number):
            giver = number[:2].lower() if identifier.giver == "eu" else identifier.giver
            return Finding(identifier.kind, start, end, giver)
    return None


class _Context:
    """The words that belong to a number, looked for when they are asked for."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self._place = text, start, end
        self._words: AbstractSet[str] | None = None

    def has(self, words: AbstractSet[str]) -> bool:
        """Return whether one of some words is there."""
        if self._words is None:
            text, start, end = self._place
            self._words = words_near(text, start, end) | words_above(text, start)
        return not self._words.isdisjoint(words)
