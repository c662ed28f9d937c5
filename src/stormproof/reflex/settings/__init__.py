"""What ``stormproof.toml`` says of the reflex, and the lines of stages that are made of it."""

from stormproof.reflex.settings.building import LineBuilder
from stormproof.reflex.settings.database import DatabaseSettings, read_database
from stormproof.reflex.settings.lines import Lines
from stormproof.reflex.settings.reading import TABLE, read_reflex
from stormproof.reflex.settings.remembering import remembering
from stormproof.reflex.settings.tables import ReflexTables

__all__ = [
    "TABLE",
    "DatabaseSettings",
    "LineBuilder",
    "Lines",
    "ReflexTables",
    "read_database",
    "read_reflex",
    "remembering",
]
