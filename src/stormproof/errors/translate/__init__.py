"""Foreign exceptions become ours at one seam: one table per foreign library."""

from stormproof.errors.translate.provider_answers import provider_error
from stormproof.errors.translate.translation import is_bug, translate

__all__ = ["is_bug", "provider_error", "translate"]
