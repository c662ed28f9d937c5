"""What requests took: written down before their callers have the end of their answers."""

from stormproof.reflex.usage.ledger import Ledger, UsageBook
from stormproof.reflex.usage.row import UsageRow
from stormproof.reflex.usage.stage import UsageStage

__all__ = ["Ledger", "UsageBook", "UsageRow", "UsageStage"]
