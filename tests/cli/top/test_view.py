"""What is shown fits the terminal, and steers it nowhere."""

from io import StringIO

import pytest
from rich.console import Console

from stormproof.cli.top.figures import Figures, Percentiles
from stormproof.cli.top.look import Look
from stormproof.cli.top.view import View, duration, sparkline

FIGURES = Figures(
    output_tokens_per_second=1234,
    prompt_tokens_per_second=0,
    running=32,
    waiting=3,
    waiting_tokens=900,
    kv_blocks=2048,
    kv_blocks_used=1024,
    step_seconds=0.0241,
    first_token=Percentiles(0.057, 1.5),
    inter_token=None,
    prefix_hit_rate=0.78,
    acceptance=None,
    preemptions=2,
    deaths={"killed": 1},
    answers={"stop": 5, "length": 9},
    errors={"EVIL\x1b[2J\r": 1},
)
LOOK = Look(FIGURES, alive=True, ready=True, state="ready")


def shown(view: View, width: int = 100) -> str:
    text = StringIO()
    Console(file=text, width=width).print(view)
    return text.getvalue()


def test_every_number_is_there() -> None:
    text = shown(View("http://here", LOOK, outputs=(1, 2, 1234)))
    for part in (
        "http://here  ready",
        "1,234 tok/s",
        "32 running, 3 waiting (900 tokens)",
        "50% of 2,048 blocks",
        "24.1 ms",
        "p50 57.0 ms  p95 1.50 s",
        "78%",
        "length 9  stop 5",
        "killed 1",
    ):
        assert part in text


@pytest.mark.parametrize("width", [20, 30, 40, 80, 200])
def test_a_narrow_terminal_gets_narrow_lines(width: int) -> None:
    lines = shown(View("http://a-long-name.example", LOOK, outputs=[3] * 500), width).splitlines()
    assert max(map(len, lines)) <= width


def test_a_servers_words_do_not_steer_the_terminal() -> None:
    look = Look(FIGURES, alive=False, ready=False, state="dead\x1b]0;title\x07")
    text = shown(View("http://here", look)) + shown(View("http://here", look, trouble="\x1b[2J"))
    assert "\x1b" not in text
    assert "\r" not in text


def test_sparklines_show_the_newest_values_against_their_highest() -> None:
    assert sparkline([9, 0, 1, 2, 4], 4) == "▁▃▅█"
    assert sparkline([0, 0], 4) == "▁▁"
    assert sparkline([1, 2], 0) == ""


def test_durations_are_for_people() -> None:
    assert duration(0.0123) == "12.3 ms"
    assert duration(2) == "2.00 s"
