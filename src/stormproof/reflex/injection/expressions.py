"""Many expressions, looked for in one pass; needs the extra ``stormproof[reflex]``.

RE2 takes time that grows with a text's length alone, whatever the text and the expressions are.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

try:
    import re2
except ModuleNotFoundError as error:
    hint = "InjectionGuard needs the extra: pip install 'stormproof[reflex]'"
    raise ModuleNotFoundError(hint, name=error.name) from error

from stormproof.reflex.matches import matches

_MEMORY: Final = 16 * 2**20
"""Bytes for a group's automaton, which grows while texts are read; beyond them it begins anew."""


class Expressions:
    """Several expressions over texts, without regard to the case of letters.

    Those of one group are looked for at once, by one automaton. More groups take more time for
    each text, and less for one that is made to visit many states: they multiply within a group.

    Args:
        groups: In RE2's syntax; they are numbered through all groups, from 0.
    """

    def __init__(self, *groups: Sequence[str]) -> None:
        options = re2.Options()
        options.case_sensitive = False
        options.never_capture = True
        options.log_errors = False
        options.max_mem = _MEMORY
        self._each = [re2.compile(one, options) for group in groups for one in group]
        firsts = accumulate(map(len, groups[:-1]), initial=0)
        self._groups = [
            (first, _set(group, options)._set.Match)
            for first, group in zip(firsts, groups, strict=True)
        ]

    def present(self, text: str) -> Sequence[int]:
        """Return which expressions are somewhere in a text; it may hold no lone surrogates."""
        encoded = text.encode()
        return [first + n for first, present in self._groups for n in present(encoded)]

    def spans(self, number: int, text: str) -> Iterator[tuple[int, int]]:
        """Yield the places of one expression in a text, in characters; none is empty."""
        encoded = text.encode()
        places = matches(self._each[number], encoded)
        return places if len(encoded) == len(text) else _in_characters(places, encoded)


def _in_characters(places: Iterator[tuple[int, int]], text: bytes) -> Iterator[tuple[int, int]]:
    """Yield places in a text, none of which overlap, in characters."""
    characters = counted = 0
    for start, end in places:
        first = characters + len(text[counted:start].decode())
        characters, counted = first + len(text[start:end].decode()), end
        yield first, characters


def _set(group: Sequence[str], options: re2.Options) -> re2.Set:
    together = re2.Set.SearchSet(options)
    for expression in group:
        together.Add(expression)
    together.Compile()
    return together
