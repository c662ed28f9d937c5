"""What tells what something is: the words near it, or at the head of its column."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import Final

from stormproof.reflex.pii.scripts import unspaced_words

_WORD: Final = re.compile("[^\\s!-/:-@\\[-`{-~\xa1\xab\xbb\xbf\u2000-\u206f]+")
_IN_WORDS: Final = bytes(
    ord(one.lower() if _WORD.match(one) else " ") for one in map(chr, range(0x100))
)
"""What becomes of ASCII as bytes: so its words are read in a third of the time."""

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
_LONGEST_ROW: Final = 1 << 13
_SEPARATORS: Final = "\t|;,"
_QUOTED: Final = re.compile('"[^"]*"')
_CLOSING: Final = re.compile(rf'(?:[^"]*[^"\s{_SEPARATORS}])?"(?=\s*[{_SEPARATORS}])')
"""A quote that ends a cell which began in a line above."""

_CELL: Final = {
    one: re.compile(rf'([ ]*(?:"(?:[^"]|"")*+")?[^{one}\n]*+)([{one}]?)') for one in _SEPARATORS
}
"""In quotes, if it has to be: then separators, and ends of lines, may be in it (RFC 4180)."""

_MOST_CELLS: Final = 8
"""Of several lines, in a row."""


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
            column = _row_before(text, start).count(separator)
            return _words(columns[column]) if column < len(columns) else ()
    return ()


def _row_before(text: str, place: int) -> str:
    """Return what stands before a place in its row, but for what is in quotes.

    There may be separators, and ends of lines, that are the cell's own (RFC 4180).
    """
    row = ""
    for _ in range(_MOST_CELLS):
        line = text.rfind("\n", max(0, place - _LONGEST_LINE), place) + 1
        before = text[line:place].replace('""', "")
        closing = _CLOSING.match(before)
        opening = _last_quote(text, line) if closing else -1
        if not closing or opening < 0:
            return _QUOTED.sub("", before) + row
        row = _QUOTED.sub("", before[closing.end() :]) + row
        place = opening
    return row


def _last_quote(text: str, end: int) -> int:
    """Return where the last quote is before a place, but for two that stand for one; or -1."""
    first = max(0, end - _LONGEST_ROW)
    last = text[first:end].replace('""', "  ").rfind('"')
    return first + last if last >= 0 else -1


def cells_below(text: str, place: int) -> Iterator[tuple[int, int]]:
    """Yield where the cells are of the column at whose head a place is; none if it is at none."""
    head = text.rfind("\n", max(0, place - _LONGEST_LINE), place) + 1
    end = text.find("\n", place, place + _LONGEST_LINE)
    if end < 0 or text[max(0, head - 2) : head].strip("\n"):
        return
    separator = next((one for one in _SEPARATORS if one in text[head:end]), None)
    if not separator:
        return
    column, columns = text.count(separator, head, place), text.count(separator, head, end) + 1
    for _ in range(_MOST_ROWS):
        cells = list(islice(_cells(text, end + 1, separator), columns + 1))
        if len(cells) != columns:
            return
        yield _content(text, *cells[column])
        end = cells[-1][1]


def _cells(text: str, start: int, separator: str) -> Iterator[tuple[int, int]]:
    """Yield where the cells of a row are, the first of which begins in a place."""
    for cell in _CELL[separator].finditer(text, start, start + _LONGEST_ROW):
        yield cell.span(1)
        if not cell[2]:
            return


def _content(text: str, start: int, end: int) -> tuple[int, int]:
    """Return where what is in a cell is, without the spaces and quotes around it."""
    written = text[start:end].strip().removeprefix('"').removesuffix('"')
    start = text.index(written, start)
    return start, start + len(written)


def _words(text: str) -> Sequence[str]:
    if text.isascii():
        words = text.encode().translate(_IN_WORDS).decode().split()
    else:
        words = _WORD.findall(text.lower())
    return [*words, *map(" ".join, pairwise(words))]
