"""``stormproof bench``: how fast a model answers on this machine, or a server anywhere."""

from stormproof.cli.bench.command import bench

__all__ = ["bench"]
