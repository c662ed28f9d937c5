"""Whether a number is one, or a piece of something longer."""

from typing import Final

from stormproof.reflex.pii.scripts import joins

_JOINS: Final = frozenset(".-/")
_BETWEEN: Final = ".-/ +()"
_SERIES: Final = frozenset(" -.")


def stands_alone(text: str, start: int, end: int) -> bool:
    """Return whether a number is no piece of a word, or of a longer number."""
    before, after = text[max(0, start - 2) : start][::-1], text[end : end + 2]
    return not (_goes_on(before) or _goes_on(after))


def stands_apart(text: str, start: int, end: int) -> bool:
    """Return whether there is no other number beside this one either."""
    before = text[max(0, start - 3) : start].rstrip(_BETWEEN)
    after = text[end : end + 2].lstrip(_BETWEEN)
    return not (before[-1:].isdigit() or after[:1].isdigit())


def is_whole(text: str, start: int, end: int) -> bool:
    """Return whether a number stands alone, and no more groups of its sizes stand beside it."""
    return stands_alone(text, start, end) and not is_in_series(text, start, end)


def is_in_series(text: str, start: int, end: int) -> bool:
    """Return whether more groups of the same size stand beside those of a number."""
    number = text[start:end]
    first, last = _leading(number), _leading(number[::-1])
    return first < end - start and (
        _is_group(text[max(0, start - first - 2) : start][::-1], number[first], first)
        or _is_group(text[end : end + last + 2], number[-last - 1], last)
    )


def _goes_on(beside: str) -> bool:
    """Return whether what is beside a number, from there on, is more of it."""
    return joins(beside[:1]) or (beside[:1] in _JOINS and beside[1:].isdigit())


def _leading(number: str) -> int:
    """Return the size of a number's first group."""
    return next((size for size, one in enumerate(number) if not one.isalnum()), len(number))


def _is_group(beside: str, by: str, size: int) -> bool:
    """Return whether a separator, and a group of a size, stand beside a number."""
    group, after = beside[1 : size + 1], beside[size + 1 :]
    return (
        beside[:1] == by
        and by in _SERIES
        and len(group) == size
        and group.isalnum()
        and any(one.isdigit() for one in group)
        and not after.isalnum()
    )
