"""What requests took: written down before their callers have the end of their answers."""

from stormproof.reflex.usage.ledger import UsageBook, UsageLedger
from stormproof.reflex.usage.row import UsageRow
from stormproof.reflex.usage.stage import UsageStage

__all__ = ["UsageBook", "UsageLedger", "UsageRow", "UsageStage"]
