"""The engines that ours is measured beside, each in a file named for it.

This file and those under ``libraries`` are also read by interpreters that have nothing but their
engine.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from engine_peers.engine import Engine

NAMES: Final = ("stormproof", "llama", "vllm", "transformers")


class Missing(ImportError):
    """An engine that is not installed here; the message says what was looked for."""


def installed(names: Sequence[str] = NAMES) -> "tuple[list[Engine], list[str]]":
    """Return the engines there are, and why the others are not among them."""
    found: list[Engine] = []
    missing = []
    for name in names:
        try:
            found += import_module(f"engine_peers.{name}").engines()
        except ImportError as error:
            missing.append(f"{name} ({error})")
    return found, missing
