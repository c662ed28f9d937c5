"""Keys and usage in a database: SQLite, or PostgreSQL; needs the extra ``stormproof[reflex]``."""

from stormproof.reflex.sql.books import Books
from stormproof.reflex.sql.database import Database
from stormproof.reflex.sql.keys import KeyTable
from stormproof.reflex.sql.usage import By, UsageSum, UsageTable

__all__ = ["Books", "By", "Database", "KeyTable", "UsageSum", "UsageTable"]
