"""How long the reflex looks at a request, and how much of what it should find it finds.

    PYTHONPATH=tests python benchmarks/reflex.py [--rounds 3] [--texts 5000]

Beside Presidio, on the same texts in one run: once with its patterns, once with a small model that
finds names, too. Times are of the processor, one text after the other, and all take their turns
each round, with texts of its own; the time of a text is the least of five, and a figure is the
median of the rounds. Presidio is installed by `reflex_peers.install`; without it the rest is
measured. It takes a quarter of an hour.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from engine_peers import Missing
from engine_peers.bars import draw
from engine_peers.machine import describe
from engine_peers.readme import markdown_table, write_section
from reflex_peers import stormproof
from reflex_peers.hostile import hostile
from reflex_peers.plot import panels
from reflex_peers.presidio import COUNTRIES, KINDS, NER, PATTERNS, Presidio
from reflex_peers.row import Row
from reflex_peers.searcher import Searcher
from stormproof.reflex.pii.finding import Kind
from support.labelled_texts import LabelledText, everyday, labelled_texts, plain, sized
from support.labelled_texts.scores import VALIDATED, Scores, scores

PLOT: Final = Path(__file__).with_suffix(".svg")
PICTURE: Final = f"![Microseconds for a text of 1 KB]({PLOT.name})"
SEED: Final = 20
KILOBYTE: Final = 1024
TEXTS: Final = 100
"""How many of 1 KB are looked at in a round."""

TEXTS_OF: Final = ("", "everyday: ", "clean prose: ")
"""What columns are called: labelled texts, of which two in three have something, and others."""

SIZES: Final = (KILOBYTE, 10 * KILOBYTE, 100 * KILOBYTE, 1024 * KILOBYTE)
HOSTILE: Final = 100 * KILOBYTE


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--texts", type=int, default=5_000, help="labelled ones (%(default)s)")
    options = arguments.parse_args()
    with ExitStack() as ending:
        peers, missing = _peers(ending)
        ours = stormproof.rows()
        for one in ours:
            ending.callback(one.close)
        finders = [ours[0], stormproof.with_names(), *peers]
        searchers = [*ours, *finders[1:]]
        rows = measured(searchers, options.rounds, sized)
        others = [measured(searchers, options.rounds, drawn) for drawn in (everyday, plain)]
        found = found_by(finders, labelled_texts(options.texts, SEED))
        parts = [
            f"{describe()}; {options.rounds} rounds, {options.texts:,} labelled texts.",
            times(rows, *others),
            growth(ours),
            stubbornness(ours),
            *quality(found),
            f"Left out: {'; '.join(missing) or 'none'}.",
        ]
    text = "\n\n".join(parts)
    print(text)
    if not missing:
        draw(panels(rows), PLOT)
        write_section("reflex", f"{PICTURE}\n\n{text}")


def _peers(ending: ExitStack) -> tuple[list[Searcher], list[str]]:
    """Start those that are installed; name the others."""
    peers: list[Searcher] = []
    missing: list[str] = []
    for name in (PATTERNS, COUNTRIES, NER):
        try:
            peers.append(Presidio(name))
        except Missing as error:
            missing = [str(error)]
        else:
            ending.callback(peers[-1].close)
    return peers, missing


def measured(
    searchers: Sequence[Searcher], rounds: int, draw_texts: Callable[[int, int, int], Sequence[str]]
) -> Sequence[Row]:
    """Have all look at the same texts of 1 KB in turn, several times."""
    rows = [Row(searcher) for searcher in searchers]
    for searcher in searchers:
        searcher.search(draw_texts(10, KILOBYTE, SEED))  # what is made at first is not measured
    for turn in range(1, rounds + 1):
        print(f"round {turn} of {rounds}", flush=True)
        texts = draw_texts(TEXTS, KILOBYTE, SEED + turn)  # stages know a text that they have seen
        for row in rows:
            row.measure(texts)
    return rows


def times(*groups: Sequence[Row]) -> str:
    """Return how long each takes, a row for all its groups of texts."""
    of_each = [f"{texts}{share}" for texts in TEXTS_OF for share in ("p50", "p95")]
    lines = [
        [rows[0].searcher.name, *(_micros(row, share) for row in rows for share in (0.5, 0.95))]
        for rows in zip(*groups, strict=True)
    ]
    return markdown_table(1, ["a text of 1 KB, processor µs", *of_each], lines)


def _micros(row: Row, share: float) -> str:
    return f"{row.percentile(share) * 1e6:,.0f}{', refused' if row.refused else ''}"


def growth(searchers: Sequence[Searcher]) -> str:
    """Return how times grow with texts: the median of several of each size."""
    head = ["processor µs", *(f"{size // KILOBYTE:,} KB" for size in SIZES)]
    texts = {size: sized(max(1, 50 * KILOBYTE // size), size, SEED) for size in SIZES}
    lines = [
        [searcher.name, *(_middle(searcher, texts[size]) for size in SIZES)]
        for searcher in searchers
    ]
    return markdown_table(1, head, lines)


def _middle(searcher: Searcher, texts: Sequence[str]) -> str:
    row = Row(searcher)
    row.measure(texts)
    return _micros(row, 0.5)


def stubbornness(searchers: Sequence[Searcher]) -> str:
    """Return the times for hostile texts, beside that for an ordinary one of the same size."""
    texts = {"what people write": sized(1, HOSTILE, SEED)[0], **dict(hostile(HOSTILE))}
    head = ["100 KB of, processor µs", *(searcher.name for searcher in searchers)]
    lines = [
        [name, *(_middle(searcher, [text]) for searcher in searchers)]
        for name, text in texts.items()
    ]
    return markdown_table(1, head, lines)


def found_by(
    searchers: Sequence[Searcher], texts: Sequence[LabelledText]
) -> Sequence[tuple[str, Scores]]:
    """Return how much of what is labelled each finds."""
    results = []
    for searcher in searchers:
        print(f"{searcher.name} looks at {len(texts):,} texts", flush=True)
        searches = searcher.search([text.text for text in texts])
        results.append((searcher.name, scores(texts, [search.findings for search in searches])))
    return results


def quality(found: Sequence[tuple[str, Scores]]) -> Iterator[str]:
    """Yield a table of recall, and one of precision."""
    for what, measure in (("recall", Scores.recall), ("precision", Scores.precision)):
        head = [what, "planted", *(name for name, _ in found)]
        kinds = [
            ("all with a form of their own", VALIDATED),
            ("those that Presidio looks for, too", VALIDATED & KINDS),
            *((kind, [kind]) for kind in Kind),
        ]
        lines = [
            [
                name,
                f"{sum(found[0][1].planted[kind] for kind in those):,}",
                *(_share(measure(result, those)) for _, result in found),
            ]
            for name, those in kinds
        ]
        yield markdown_table(1, head, lines)


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


if __name__ == "__main__":
    main()
