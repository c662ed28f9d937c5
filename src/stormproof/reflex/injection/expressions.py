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
        """Yield the places of one expression in a text, in characters."""
        for match in self._each[number].finditer(text):
            yield match.span()


def _set(group: Sequence[str], options: re2.Options) -> re2.Set:
    together = re2.Set.SearchSet(options)
    for expression in group:
        together.Add(expression)
    together.Compile()
    return together
