"""How far a file of prompts is, for people and for programs."""

from io import BytesIO, StringIO

import pytest
from rich.console import Console

from stormproof.cli.answer_line import AnswerLine
from stormproof.cli.answer_progress import Tally, answer_progress
from stormproof.cli.prompt_lines import read_lines
from stormproof.engine import FinishReason, Output
from stormproof.errors import InvalidRequest

[LINE] = read_lines(BytesIO(b"a\n"), b"")
DONE = Output(finish_reason=FinishReason.STOP, prompt_tokens=1, completion_tokens=6)
ANSWER = AnswerLine.of_output(LINE, 1, DONE)
ERROR = AnswerLine.of_error(LINE, 1, InvalidRequest(reason="no"))


class Clock:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def shown(tally: Tally, clock: Clock, times: int, *, terminal: bool) -> str:
    text = StringIO()
    console = Console(file=text, force_terminal=terminal, width=120)
    with answer_progress(console, tally) as report:
        clock.now = 2.0
        for _ in range(times):
            report([ANSWER, ERROR])
    return text.getvalue()


def test_elsewhere_each_tenth_gets_a_line() -> None:
    clock = Clock()
    tally = Tally(before=5, failed=1, total=100, clock=clock)
    lines = shown(tally, clock, 50, terminal=False).splitlines()
    assert len(lines) == 10
    assert lines[-1] == "100 of 100 lines; 50.0 lines/s, 150 tokens/s"
    assert str(tally) == (
        "100 lines answered, 5 before, 51 with an error; 50.0 lines/s, 150 tokens/s"
    )
    assert tally.summary() == {
        "answered": 100,
        "answered_before": 5,
        "errors": 51,
        "completion_tokens": 300,
        "seconds": 2.0,
    }


@pytest.mark.parametrize(("total", "counted"), [(8, "7/13"), (None, "7/?")])
def test_a_terminal_gets_a_bar_with_the_rate(total: int | None, counted: str) -> None:
    """It counts what earlier runs answered as well."""
    clock = Clock()
    text = shown(Tally(before=5, failed=0, total=total, clock=clock), clock, 1, terminal=True)
    assert counted in text
    assert "1.0 lines/s, 3 tokens/s" in text


def test_a_pipe_of_unknown_length_gets_no_lines() -> None:
    clock = Clock()
    assert not shown(Tally(before=0, failed=0, total=None, clock=clock), clock, 9, terminal=False)
