"""The gateways that ours is measured beside, each in a file named for it."""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway_peers.gateway import Gateway

NAMES: Final = ("stormproof", "passthrough", "portkey", "litellm")


def installed(names: Sequence[str] = NAMES) -> "tuple[list[Gateway], list[str]]":
    """Return the gateways there are, and why the others are not among them."""
    found: list[Gateway] = []
    missing = []
    for name in names:
        try:
            found.append(import_module(f"gateway_peers.{name}").gateway())
        except ImportError as error:
            missing.append(f"{name} ({error})")
    return found, missing
