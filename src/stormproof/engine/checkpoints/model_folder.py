"""The text files of a model's folder: small enough to read, and what they should be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from stormproof.engine.checkpoints.loading import Unusable

if TYPE_CHECKING:
    from pathlib import Path

MAX_JSON_BYTES: Final = 64 * 1024 * 1024
MAX_TOKENIZER_BYTES: Final = 256 * 1024 * 1024


def read_json(path: Path, *, optional: bool = False) -> dict[str, Any]:
    """The JSON object in a file; an empty one if the file is missing and ``optional``.

    Raises:
        Unusable: It is missing, too large, or not a JSON object.
    """
    if optional and not path.exists():
        return {}
    values = read_any_json(path)
    if not isinstance(values, dict):
        raise Unusable(f"{path.name} is not a JSON object")
    return values


def read_any_json(path: Path) -> Any:
    """The JSON value in a file.

    Raises:
        Unusable: It is missing, too large, or not JSON.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise Unusable(f"{path.name} is not valid JSON") from error


def read_text(path: Path, limit: int = MAX_JSON_BYTES) -> str:
    """The text of a file.

    Args:
        path: The file.
        limit: Bytes that it may have.

    Raises:
        Unusable: It is missing or larger.
    """
    if not path.is_file():
        raise Unusable(f"{path.name} is missing")
    if path.stat().st_size > limit:
        raise Unusable(f"{path.name} is larger than {limit} bytes")
    return path.read_text(encoding="utf-8")
