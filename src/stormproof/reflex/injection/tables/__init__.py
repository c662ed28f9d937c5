"""What is known of attacks, as data: words, signs and letters, one table a file."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any


def table(name: str) -> Mapping[str, Any]:
    """Return a table by its name."""
    return tomllib.loads(files(__package__).joinpath(f"{name}.toml").read_text("utf-8"))
