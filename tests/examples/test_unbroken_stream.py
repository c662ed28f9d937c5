"""The program that reads a stream which keeps breaking does what it says."""

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "examples/unbroken_stream.py"


def test_every_token_arrives_once() -> None:
    """Whatever the points at which the source breaks this time."""
    ended = subprocess.run(
        [sys.executable, str(PROGRAM)], capture_output=True, text=True, check=True
    )
    assert "1000 tokens, exactly those of the text" in ended.stdout
    assert not ended.stdout.startswith("0 times")
