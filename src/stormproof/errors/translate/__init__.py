"""Foreign exceptions become ours at one seam: one table per foreign library."""

from stormproof.errors.translate.translation import translate

__all__ = ["translate"]
