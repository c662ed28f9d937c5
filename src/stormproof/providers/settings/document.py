"""A TOML file, bounded, with the line of what is no TOML."""

import re
import tomllib
from pathlib import Path
from typing import Any, Final

from stormproof.errors import ConfigurationError, translate

_MOST_BYTES: Final = 1 << 20


def read_document(file: Path) -> tuple[str, dict[str, Any]]:
    """Return what a TOML file says, as text and as tables.

    Raises:
        ConfigurationError: It is not TOML, or too long.
        StorageError: It cannot be read.
    """
    text = _text(file)
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, _, where = str(error).rpartition(" (at ")
        line = re.match(r"line (\d+)", where)
        number = line[1] if line else len(text.splitlines())
        reason = f"{file.name}:{number}: this is not TOML: {what}"
        raise ConfigurationError(reason=reason) from None  # the original may hold the whole text
    except RecursionError:
        raise ConfigurationError(reason=f"{file.name} is nested too deeply") from None


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(_MOST_BYTES + 1)
    except OSError as error:
        known = translate(error)
        known.operation = f"read {file.name}"
        raise known from error
    if len(content) > _MOST_BYTES:
        raise ConfigurationError(reason=f"{file.name} has more than {_MOST_BYTES} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError(reason=f"{file.name} is not UTF-8 text") from None
