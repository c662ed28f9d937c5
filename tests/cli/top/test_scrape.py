"""What a server's metrics say."""

import pytest

from stormproof.cli.top.scrape import Scrape
from stormproof.errors import ProtocolError

TEXT = """\
# TYPE answers counter
answers_total{reason="stop"} 3.0
answers_total{reason="error"} 0.0
# TYPE running gauge
running 2.0
"""


def test_series_are_summed_or_told_apart_by_a_label() -> None:
    scrape = Scrape.parse(TEXT, at=1.0)
    assert scrape.value("running") == 2
    assert scrape.value("answers_total") == 3
    assert scrape.value("missing") == 0
    assert scrape.by("answers_total", "reason") == {"stop": 3}


def test_a_counter_that_fell_began_anew() -> None:
    """The server was started again, so all that it counts is new."""
    before, after = Scrape.parse("running 5\n", 1.0), Scrape.parse("running 2\n", 2.0)
    assert before.since(Scrape.parse("running 4\n", 0.0), "running") == 1
    assert after.since(before, "running") == 2


@pytest.mark.parametrize("text", ["<html>", "a{ 1", "a x\n", '{"a": 1}'])
def test_what_is_no_metrics_is_a_typed_error(text: str) -> None:
    with pytest.raises(ProtocolError):
        Scrape.parse(text, 0.0)
