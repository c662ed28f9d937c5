"""The public names are frozen: changing one is a decision, seen in a diff of the snapshot.

``UPDATE_PUBLIC_NAMES=1 make test ARGS=tests/test_public_names.py`` takes a new one.
"""

import importlib
import os
from pathlib import Path

import pytest

SNAPSHOT = Path(__file__).parent / "public_names.txt"
FLOORS = (
    "stormproof",
    "stormproof.errors",
    "stormproof.recovery",
    "stormproof.reflex",
    "stormproof.testing",
    "stormproof.signals",
    "stormproof.weights",
    "stormproof.engine",
    "stormproof.providers",
    "stormproof.gateway",
    "stormproof.cli",
)


@pytest.mark.parametrize("floor", FLOORS)
def test_a_floor_says_what_is_public(floor: str) -> None:
    """``__all__`` has no repeats, and every name in it exists; the linter holds its order."""
    module = importlib.import_module(floor)
    assert len(module.__all__) == len(set(module.__all__))
    assert all(hasattr(module, name) for name in module.__all__)


def test_public_names_are_the_ones_in_the_snapshot() -> None:
    """Nothing becomes public, or stops being it, unnoticed."""
    names = [
        f"{floor}.{name}" for floor in FLOORS for name in importlib.import_module(floor).__all__
    ]
    if os.environ.get("UPDATE_PUBLIC_NAMES"):
        SNAPSHOT.write_text("\n".join(names) + "\n", "utf-8")
    assert names == SNAPSHOT.read_text("utf-8").split()


def test_the_snapshot_covers_every_floor() -> None:
    """A new floor must join the list."""
    source = Path(__file__).parents[1] / "src/stormproof"
    packages = {f"stormproof.{path.parent.name}" for path in source.glob("*/__init__.py")}
    assert packages | {"stormproof"} == set(FLOORS)
