"""Where models come from: a library on this machine, filled from an index, a hub or a disk."""

from stormproof.weights.catalog import CATALOG, CatalogModel
from stormproof.weights.library import ModelLibrary
from stormproof.weights.progress import PullProgress, Report, Stage
from stormproof.weights.record import InstalledModel

__all__ = [
    "CATALOG",
    "CatalogModel",
    "InstalledModel",
    "ModelLibrary",
    "PullProgress",
    "Report",
    "Stage",
]
