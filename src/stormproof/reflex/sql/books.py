"""Everything that a server keeps in its database, at work."""

from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from stormproof.reflex.kept_secret import secret_beside
from stormproof.reflex.keys.issued import IssuedKeys
from stormproof.reflex.sql.database import Database
from stormproof.reflex.sql.keys import KeyTable
from stormproof.reflex.sql.usage import UsageTable
from stormproof.reflex.usage.ledger import UsageLedger

_JOURNALS: Final = "stormproof.journals"


class Books:
    """Keys and usage; to be entered, and left when nobody asks any more.

    Args:
        url: Of the database.
        journals: Folder in which what requests took waits for it; by default beside its file, or
            in the working folder.

    Attributes:
        keys: Those that were made here.
        usage: What was entered of what requests took.
        ledger: Writes that down.

    Raises:
        StormproofError: The database or the folder cannot be used.
    """

    def __init__(self, url: str, journals: Path | None = None) -> None:
        self._database = Database(url)
        try:
            self.keys: Final = IssuedKeys(KeyTable(self._database))
            self.usage: Final = UsageTable(self._database)
            self._folder = journals or _beside(self._database.file)
            self.ledger: Final = UsageLedger(self.usage, self._folder)
        except BaseException:
            self._database.close()
            raise

    @cached_property
    def secret(self) -> bytes:
        """Of which names are made for users whose own say who they are; this machine's.

        Raises:
            ConfigurationError: It cannot be kept.
        """
        return secret_beside(self._database.file or self._folder / "users", "reflex.database")

    def __enter__(self) -> Self:
        """Begin to look for changes, and to enter what is written down."""
        self.keys.start()
        self.ledger.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Enter what is left, and close the database."""
        self.keys.close()
        self.ledger.close()
        self._database.close()


def _beside(file: Path | None) -> Path:
    return file.with_name(f"{file.name}.journals") if file else Path(_JOURNALS)
