"""Importing the ground floor costs next to nothing."""

import subprocess
import sys

import pytest


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded for ``statement`` and nothing else."""
    program = (
        f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    return set(answer.stdout.split())


@pytest.mark.parametrize("name", ["stormproof", "stormproof.errors"])
def test_nothing_but_the_standard_library_is_loaded(name: str) -> None:
    """An application that only catches our errors pays for none of the libraries above them."""
    packages = {module.partition(".")[0] for module in loaded_by(f"import {name}")}

    assert packages - sys.stdlib_module_names == {"stormproof"}


@pytest.mark.parametrize("name", ["asyncio", "dataclasses", "email", "inspect", "json", "logging"])
def test_what_is_slow_to_load_is_loaded_when_needed(name: str) -> None:
    """Most programs that import the errors never parse a date or start a loop through them."""
    assert name not in loaded_by("import stormproof.errors")


def test_the_top_of_the_package_loads_no_floor() -> None:
    """``import stormproof`` is a name and a version."""
    ours = {name for name in loaded_by("import stormproof") if name.startswith("stormproof")}

    assert ours == {"stormproof", "stormproof.version"}
