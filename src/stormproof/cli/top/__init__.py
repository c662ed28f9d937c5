"""``stormproof top``: a running server, live in the terminal."""

from stormproof.cli.top.command import top

__all__ = ["top"]
