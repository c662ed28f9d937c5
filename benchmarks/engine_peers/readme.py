"""Where figures are published."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from engine_peers.process import BENCHMARKS

README: Final = BENCHMARKS / "README.md"


def write_section(name: str, text: str) -> None:
    """Put ``text`` between the marks ``<!-- name -->`` and ``<!-- /name -->`` of the README.

    Raises:
        ValueError: It has no such marks.
    """
    marked = re.compile(f"(?<=<!-- {name} -->\n).*(?=<!-- /{name} -->)", re.DOTALL)
    written, found = marked.subn(lambda _: f"\n{text}\n\n", README.read_text())
    if not found:
        raise ValueError(f"{README.name} has no section {name!r}")
    README.write_text(written)


def markdown_table(texts: int, head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table whose first columns, ``texts`` of them, are text, and the others numbers."""
    marks = ["---"] * texts + ["---:"] * (len(head) - texts)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, marks, *lines))
