"""Which database keys and usage are in."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from stormproof.reflex.settings.reading import read_reflex

VARIABLE: Final = "STORMPROOF_DATABASE_URL"
DEFAULT_FILE: Final = "stormproof.db"


class DatabaseSettings(NamedTuple):
    """Where keys and usage are.

    Attributes:
        url: Of the database; None if there is none.
        journals: Where usage waits for it; None for the usual place.
    """

    url: str | None
    journals: Path | None = None

    @property
    def usual(self) -> str:
        """The URL, or the one that is meant where none is named."""
        return self.url or f"sqlite:///{DEFAULT_FILE}"


def read_database(file: Path, environment: Mapping[str, str]) -> DatabaseSettings:
    """Return what the environment says, or else a file of settings, or what is in this folder.

    Args:
        file: The settings, if they are there.
        environment: Variables.

    Raises:
        ConfigurationError: The file makes no sense.
        StorageError: It cannot be read.
    """
    tables = read_reflex(file) if file.exists() else None
    named = environment.get(VARIABLE) or (tables.database if tables else None)
    here = f"sqlite:///{DEFAULT_FILE}" if Path(DEFAULT_FILE).exists() else None
    return DatabaseSettings(named or here, tables.journals if tables else None)
