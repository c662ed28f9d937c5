"""Numbers found by their pictures: cards, and what states give to people and companies.

A picture is a number's form: ``9`` stands for a digit, ``A`` for a letter, all else for itself.
Some forms say enough by themselves, together with their check digits; others are those of too much
else, and count only near words that tell what they are.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from string import ascii_letters, digits
from typing import Final, NamedTuple, TypeAlias

from stormproof.reflex.pii.context import words_above, words_near
from stormproof.reflex.pii.edges import is_in_series, stands_alone, stands_apart
from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.recogniser import Recogniser

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
_MOST_PICTURES: Final = 4096
_LONGEST_KEPT: Final = 64


class Identifier(NamedTuple):
    """A kind of number.

    Attributes:
        kind: What it is.
        giver: Tells who has given a number, a country by ISO 3166 or a card's network; an empty
            name, if that does not show, and None if nobody has: check digits are wrong.
        telling: The forms that need no words.
        vague: The forms that do.
        words: What stands near those, in small letters; pairs of words are joined by a space.
    """

    kind: Kind
    giver: Callable[[str], str | None]
    telling: frozenset[str]
    vague: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()


_Pictured: TypeAlias = Sequence[tuple[Identifier, bool]]
"""What may have a form, each with whether the form tells so."""


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
        self._most_blocks = max(len(_BLOCK.findall(picture)) for picture in self._by_picture)
        self._places = lru_cache(_MOST_PICTURES)(self._looked_up)

    def among(self, text: str, start: int, end: int) -> Iterator[Finding]:
        """Yield the numbers between two places of a text."""
        picture = text[start:end].translate(_PICTURE)
        known = self._places if len(picture) <= _LONGEST_KEPT else self._looked_up
        free = 0
        for first, last, pictured in known(picture):
            if first >= free and (
                found := _first_valid(pictured, text, start + first, start + last)
            ):
                yield found
                free = last

    def _looked_up(self, picture: str) -> Sequence[tuple[int, int, _Pictured]]:
        """Return where in a run numbers may be, and what they may be; longer ones come first."""
        blocks = [block.span() for block in _BLOCK.finditer(picture)]
        places = []
        for index, (first, _) in enumerate(blocks):
            for _, last in blocks[index : index + self._most_blocks]:
                if picture[first:last] not in self._beginnings:
                    break
                if picture[first:last] in self._by_picture:
                    places.append((first, -last))
        return [(a, -b, self._by_picture[picture[a:-b]]) for a, b in sorted(places)]


def _by_picture(identifiers: Collection[Identifier]) -> Mapping[str, _Pictured]:
    """Return what may have a form, and whether the form tells so; those that tell come first."""
    pictured: dict[str, list[tuple[Identifier, bool]]] = defaultdict(list)
    for identifier in identifiers:
        for picture in identifier.telling:
            pictured[picture].append((identifier, True))
    for identifier in identifiers:
        for picture in identifier.vague:
            pictured[picture].append((identifier, False))
    return pictured


def _first_valid(pictured: _Pictured, text: str, start: int, end: int) -> Finding | None:
    if not stands_alone(text, start, end) or text[max(0, start - 1) : start] == "+":
        return None
    number, words = text[start:end], None
    for identifier, telling in pictured:
        if telling:
            if is_in_series(text, start, end):
                continue
        else:
            if words is None:
                words = _words(text, start, end)
            if words.isdisjoint(identifier.words):
                continue
        if (giver := identifier.giver(number)) is not None:
            return Finding(identifier.kind, start, end, giver or None)
    return None


def _words(text: str, start: int, end: int) -> AbstractSet[str]:
    """Return the words that belong to a number; none if it is one of several."""
    if not stands_apart(text, start, end):
        return frozenset()
    return words_near(text, start, end) | words_above(text, start)
