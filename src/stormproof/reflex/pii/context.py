"""What tells what something is: the words near it, or at the head of its column."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from stormproof.reflex.pii.scripts import unspaced_words

_WORD: Final = re.compile("[^\\s!-/:-@\\[-`{-~\xa1\xab\xbb\xbf\u2000-\u206f]+")
_BEFORE: Final = 60
_AFTER: Final = 30
_CLOSE: Final = 12
_SENTENCE: Final = re.compile("[.?!] ")
_FARTHEST_HEAD: Final = 1 << 13
_LONGEST_LINE: Final = 1 << 11
_LETTER: Final = re.compile(r"[^\W\d_]")
_CUTS: Final = ("\n", '",')
"""What ends a line, and a value in JSON: words beyond belong to something else."""

_MOST_ROWS: Final = 256
_SEPARATORS: Final = "\t|;,"


def words_near(text: str, start: int, end: int) -> Sequence[str]:
    """Return the words near a place, in small letters, and each two that follow each other."""
    before, after = text[max(0, start - _BEFORE) : start], text[end : end + _AFTER]
    if not (_LETTER.search(before) or _LETTER.search(after)):
        return ()
    for cut in _CUTS:
        if cut in before and _WORD.search(nearer := before.rpartition(cut)[2]):
            before = nearer
        after = after.partition(cut)[0]
    words = _words(f"{before} {_SENTENCE.split(after, 1)[0]}")
    return [*words, *unspaced_words(f"{before[-_CLOSE:]} {after[:_CLOSE]}")]


def words_above(text: str, start: int) -> Sequence[str]:
    """Return the words at the head of a column that a place is in; none if it is in no table."""
    line = text.rfind("\n", max(0, start - _LONGEST_LINE), start) + 1
    before = text[line:start] if line else ""
    separators = [one for one in _SEPARATORS if one in before]
    if not separators:
        return ()
    top = text.rfind("\n\n", max(0, start - _FARTHEST_HEAD), start)
    head_start = top + 2 if top >= 0 else 0
    head_end = text.find("\n", head_start, head_start + _LONGEST_LINE)
    if not 0 < head_end < line:
        return ()
    head = text[head_start:head_end]
    for separator in separators:
        if separator in head:
            columns = head.split(separator)
            column = before.count(separator)
            return _words(columns[column]) if column < len(columns) else ()
    return ()


def cells_below(text: str, place: int) -> Iterator[tuple[int, int]]:
    """Yield where the cells are of the column at whose head a place is; none if it is at none."""
    head = text.rfind("\n", max(0, place - _LONGEST_LINE), place) + 1
    end = text.find("\n", place, place + _LONGEST_LINE)
    if end < 0 or text[max(0, head - 2) : head].strip("\n"):
        return
    separator = next((one for one in _SEPARATORS if one in text[head:end]), None)
    if not separator:
        return
    column, columns = text.count(separator, head, place), text.count(separator, head, end)
    for _ in range(_MOST_ROWS):
        start, end = end + 1, text.find("\n", end + 1)
        cells = text[start : end if end >= 0 else None].split(separator)
        if len(cells) != columns + 1:
            return
        cell = start + sum(len(one) + 1 for one in cells[:column])
        written = cells[column].strip()
        yield text.index(written, cell), text.index(written, cell) + len(written)
        if end < 0:
            return


def _words(text: str) -> Sequence[str]:
    words = _WORD.findall(text.lower())
    return [*words, *map(" ".join, pairwise(words))]
