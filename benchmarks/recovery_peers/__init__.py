"""The libraries that the recovery floor is measured beside, each in a file named for it."""

from importlib import import_module
from types import ModuleType
from typing import Final

NAMES: Final = (
    "stormproof",
    "nopanic",
    "pyresilience",
    "redress",
    "hyx",
    "stamina",
    "tenacity",
    "backoff",
    "pybreaker",
    "circuitbreaker",
    "aiobreaker",
    "purgatory",
    "limits",
    "aiolimiter",
    "langchain",
)


def installed() -> tuple[list[ModuleType], list[str]]:
    """Return the modules of the libraries there are, and the names of the others."""
    found, missing = [], []
    for name in NAMES:
        try:
            found.append(import_module(f"recovery_peers.{name}"))
        except ImportError:
            missing.append(name)
    return found, missing
