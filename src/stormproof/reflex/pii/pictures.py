"""Numbers found by their pictures: cards, and what states give to people and companies.

A picture is a number's form: ``9`` stands for a digit, ``A`` for a letter, all else for itself.
Some forms say enough by themselves, together with their check digits; others are those of too much
else, and count only near words that tell what they are.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice, product
from string import ascii_letters, digits
from typing import Final, NamedTuple

from stormproof.reflex.pii.context import words_above, words_near
from stormproof.reflex.pii.edges import is_whole, stands_alone, stands_apart
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
_PICTURE: Final = bytes.maketrans(
    f"{digits}{ascii_letters}".encode(), b"9" * len(digits) + b"A" * len(ascii_letters)
)
_BLOCK: Final = re.compile("[9A]+")
_MOST_REMEMBERED: Final = 4096
_LONGEST_REMEMBERED: Final = 64


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


class _Pictured(NamedTuple):
    """What may have a form: those whom it tells, and those whom words tell."""

    telling: Sequence[Identifier]
    vague: Mapping[str, Sequence[Identifier]]


class _Place(NamedTuple):
    """Where in a run a number may be, and what it may be."""

    start: int
    end: int
    pictured: _Pictured


def recogniser(identifiers: Collection[Identifier]) -> Recogniser:
    """Return what finds numbers of some kinds."""
    return Recogniser(
        frozenset(one.kind for one in identifiers), _SIGN, _RUN, _Numbers(identifiers).among
    )


class _Numbers:
    """Tells what a run of digits, letters and marks holds."""

    def __init__(self, identifiers: Collection[Identifier]) -> None:
        self._by_picture = _by_picture(identifiers)
        self._candidate = _candidate(self._by_picture)
        blocks = {picture: list(_BLOCK.finditer(picture)) for picture in self._by_picture}
        self._beginnings = {one[: block.end()] for one, ends in blocks.items() for block in ends}
        self._most_blocks = max(map(len, blocks.values()))
        self._remembered = lru_cache(_MOST_REMEMBERED)(self._places)

    def among(self, text: str, start: int, end: int) -> Iterable[Finding]:
        """Return the numbers between two places of a text."""
        picture = text[start:end].encode().translate(_PICTURE).decode()
        looked_up = self._remembered if end - start <= _LONGEST_REMEMBERED else self._places
        places = looked_up(picture)
        return _valid(places, text, start) if places else ()

    def _places(self, picture: str) -> Sequence[_Place]:
        """Return where in a run numbers may be; of those that begin together the longest first."""
        places = []
        for candidate in self._candidate.finditer(picture):
            start = candidate.start()
            ends = self._ends(picture, start)
            places += [self._place(picture, start, end) for end in reversed(ends)]
        return places

    def _ends(self, picture: str, start: int) -> Sequence[int]:
        ends = []
        for block in islice(_BLOCK.finditer(picture, start), self._most_blocks):
            end = block.end()
            if picture[start:end] not in self._beginnings:
                break
            if picture[start:end] in self._by_picture and is_whole(picture, start, end):
                ends.append(end)
        return ends

    def _place(self, picture: str, start: int, end: int) -> _Place:
        pictured = self._by_picture[picture[start:end]]
        if not stands_apart(picture, start, end):
            pictured = _Pictured(_telling_beside(picture[start:end], pictured), {})
        return _Place(start, end, pictured)


def _by_picture(identifiers: Collection[Identifier]) -> Mapping[str, _Pictured]:
    pictured: dict[str, _Pictured] = {}
    telling: dict[str, list[Identifier]] = defaultdict(list)
    vague: dict[str, dict[str, list[Identifier]]] = defaultdict(lambda: defaultdict(list))
    for one in identifiers:
        for picture in one.telling:
            telling[picture].append(one)
        for picture, word in product(one.vague, one.words):
            vague[picture][word].append(one)
    for picture in telling.keys() | vague.keys():
        pictured[picture] = _Pictured(telling[picture], dict(vague[picture]))
    return pictured


def _candidate(pictured: Mapping[str, _Pictured]) -> re.Pattern[str]:
    """Return what finds where in a run a number may begin that is whole.

    In a long row of numbers there are many beginnings, and hardly any that is worth a look: the
    vague ones stand apart, the others are no part of a series.
    """
    ends = {picture: _end(picture) for picture in pictured}
    beside = {one: end for one, end in ends.items() if _telling_beside(one, pictured[one])}
    return re.compile(
        rf"(?<![9A])(?<!9[./-])(?:(?<!9[ +])(?={_any_of(ends)})|(?={_any_of(beside)}))"
    )


def _end(picture: str) -> str:
    """Return the pattern of what may not stand behind a number, which would be more of it."""
    last = _BLOCK.findall(picture)[-1]
    series = f"| {last}(?![9A])" if "9" in last and picture.endswith(f" {last}") else ""
    return f"(?![9A]|[./-]9{series})"


def _any_of(ends: Mapping[str, str]) -> str:
    """Return a pattern for one of some pictures, each with its end: a tree of what they share."""
    following: dict[str, dict[str, str]] = defaultdict(dict)
    for picture, end in ends.items():
        if picture:
            following[picture[0]][picture[1:]] = end
    branches = [re.escape(first) + _any_of(rest) for first, rest in following.items()]
    if "" in ends:
        branches.append(ends[""])
    return f"(?:{'|'.join(branches)})"


def _telling_beside(picture: str, pictured: _Pictured) -> Sequence[Identifier]:
    """Return those whom a form tells where other numbers stand beside it."""
    return _telling_anywhere(pictured) if " " in picture else pictured.telling


def _telling_anywhere(pictured: _Pictured) -> Sequence[Identifier]:
    """Return those whom a form tells also in a row of groups of digits.

    A card's expiry stands beside it; other groups in a row of more of them are anything.
    """
    return [one for one in pictured.telling if one.kind is Kind.CARD]


def _valid(places: Iterable[_Place], text: str, run: int) -> Iterator[Finding]:
    """Yield what is valid among what may be in a run."""
    free = run
    for first, last, pictured in places:
        start, end = run + first, run + last
        if start < free or not stands_alone(text, start, end):
            continue
        if text[max(0, start - 1) : start] == "+":  # a telephone number, or a space in a URL
            given = _given(_telling_anywhere(pictured), text[start:end])
        else:
            given = _given(pictured.telling, text[start:end])
            given = given or _near_words(pictured, text, start, end)
        if given:
            yield Finding(given[0], start, end, given[1] or None)
            free = end


def _near_words(pictured: _Pictured, text: str, start: int, end: int) -> tuple[Kind, str] | None:
    """Return what a number is by the words near it, or at the head of its column."""
    if not pictured.vague or not stands_apart(text, start, end):
        return None
    return _named(pictured, words_near(text, start, end), text[start:end]) or _named(
        pictured, words_above(text, start), text[start:end]
    )


def _named(pictured: _Pictured, words: Iterable[str], number: str) -> tuple[Kind, str] | None:
    """Return what a number is by some words."""
    if pictured.vague.keys().isdisjoint(words):
        return None
    for word in words:
        if (meant := pictured.vague.get(word)) and (given := _given(meant, number)):
            return given
    return None


def _given(identifiers: Iterable[Identifier], number: str) -> tuple[Kind, str] | None:
    """Return what a number is, and who has given it."""
    for identifier in identifiers:
        if (giver := identifier.giver(number)) is not None:
            return identifier.kind, giver
    return None
