"""How long those take who find personal data, as a picture."""

from collections.abc import Sequence

from engine_peers.bars import Bar, Panel
from reflex_peers.row import Row


def panels(rows: Sequence[Row]) -> list[Panel]:
    """Return what to draw."""
    return [
        Panel(
            f"a text of 1 KB: µs, p{share:.0%}".rstrip("%") + " (less is better)",
            [_bar(row, share) for row in rows],
            less_is_better=True,
            logarithmic=True,
        )
        for share in (0.5, 0.95)
    ]


def _bar(row: Row, share: float) -> Bar:
    value = row.percentile(share) * 1e6
    return Bar(row.searcher.name, value, f"{value:,.0f}")
