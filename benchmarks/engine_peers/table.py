"""Figures as Markdown."""

from collections.abc import Iterator, Sequence

from engine_peers.readme import markdown_table
from engine_peers.row import FIGURES, Row


def table(rows: Sequence[Row]) -> str:
    """Return one line an engine."""
    titles = [figure.title for figure in FIGURES]
    head = ["", "over", *titles, "start to first token, s", "memory, MiB"]
    return markdown_table(2, head, map(_cells, rows))


def _cells(row: Row) -> list[str]:
    figures = [figure.cell(row) for figure in FIGURES]
    over = "HTTP" if row.over_http else ""
    return [row.name, over, *figures, f"{row.start:.1f}", f"{row.memory >> 20:,}"]


def ratios(rows: Sequence[Row]) -> str:
    """Return how many times theirs ours are."""
    head = ["times", *(figure.title.partition(",")[0] for figure in FIGURES)]
    lines = [
        [f"{ours.name} / {other.name}", *(figure.ratio(ours, other) for figure in FIGURES)]
        for ours, other in _pairs(rows)
    ]
    return markdown_table(1, head, lines)


def _pairs(rows: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
    """Pair like with like: a server with servers, a library with libraries, and our two."""
    ours = [row for row in rows if row.name.startswith("stormproof")]
    for other in rows:
        for one in ours:
            if other not in ours and one.over_http == other.over_http:
                yield one, other
    if len(ours) > 1:
        library, server = ours
        yield server, library
