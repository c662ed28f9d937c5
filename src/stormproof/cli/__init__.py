"""The command line: how a person holds it."""

from stormproof.cli.main import main

__all__ = ["main"]
