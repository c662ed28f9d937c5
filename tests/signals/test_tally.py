"""Counting that can be trusted, and that cannot grow without bound."""

import threading
from concurrent.futures import ThreadPoolExecutor

from stormproof.signals.tally import MOST_LABEL_SETS, OTHER, Tally

THREADS = 8
EACH = 2_000


def test_threads_lose_no_count_and_pass_no_limit() -> None:
    """They all bring new names at once, more than are kept apart."""
    tally = Tally()
    start = threading.Barrier(THREADS)

    def work(thread: int) -> None:
        start.wait()
        for number in range(EACH):
            tally.count("shared" if number % 2 else f"{thread} {number}")

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    counts = tally.counts()
    assert len(counts) == MOST_LABEL_SETS + 1
    assert sum(counts.values()) == THREADS * EACH
    assert counts[("shared",)] == THREADS * EACH / 2
    assert counts[(OTHER,)] == THREADS * EACH / 2 - (MOST_LABEL_SETS - 1)
