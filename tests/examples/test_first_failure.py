"""The first program a reader runs does what the README says."""

import subprocess
import sys
from pathlib import Path

from support.serving import Server

PROGRAM = Path(__file__).parents[2] / "examples/first_failure.py"


def test_every_question_is_answered_and_the_dead_one_is_left_alone(server: Server) -> None:
    """Three answers; the circuit opens on the way and rejects the third call at once."""
    ended = subprocess.run(
        [sys.executable, str(PROGRAM), server.url], capture_output=True, text=True, check=True
    )
    assert ended.stdout.count("→") == 3
    assert "CircuitOpened" in ended.stdout
    assert "CallRejected" in ended.stdout
