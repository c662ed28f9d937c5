"""An LLM stack that keeps answering."""

from stormproof.version import __version__

__all__ = ["__version__"]
