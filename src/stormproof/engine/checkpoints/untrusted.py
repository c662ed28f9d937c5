"""Reading settings that somebody else wrote: every value has the right type and is in bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from stormproof.engine.checkpoints.loading import Unusable


class Untrusted:
    """Typed, bounded access to a mapping from a file.

    Every method raises `Unusable` that names the key when the value is missing without a default,
    of another type, or out of bounds. An explicit null counts as missing; true is no number.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None

    def integer(self, key: str, default: int | None = None, *, low: int = 1, high: int) -> int:
        """The integer at ``key``, no less than ``low`` and no more than ``high``."""
        value = self._get(key, default)
        if type(value) is not int or not low <= value <= high:
            raise Unusable(f"{key} must be an integer from {low} to {high}")
        return value

    def number(self, key: str, default: float | None = None, *, high: float) -> float:
        """The finite number at ``key``, more than zero and no more than ``high``."""
        value = self._get(key, default)
        if type(value) not in (int, float) or not math.isfinite(value) or not 0 < value <= high:
            raise Unusable(f"{key} must be a number over 0 and up to {high:g}")
        return float(value)

    def flag(self, key: str, *, default: bool) -> bool:
        """The truth value at ``key``."""
        value = self._get(key, default)
        if not isinstance(value, bool):
            raise Unusable(f"{key} must be true or false")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """The text at ``key``."""
        value = self._get(key, default)
        if not isinstance(value, str):
            raise Unusable(f"{key} must be a text")
        return value

    def section(self, key: str) -> Untrusted:
        """The mapping at ``key``; an empty one when there is none."""
        value = self._get(key, {})
        if not isinstance(value, Mapping):
            raise Unusable(f"{key} must be an object")
        return Untrusted(value)

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of texts at ``key``."""
        value = self._get(key, None)
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise Unusable(f"{key} must be a list of texts")
        return tuple(value)

    def token_ids(self, key: str) -> frozenset[int]:
        """The token ids at ``key``: none, one, or a list of them."""
        value = self._values.get(key)
        ids = value if isinstance(value, list) else [] if value is None else [value]
        if not all(type(token) is int and token >= 0 for token in ids):
            raise Unusable(f"{key} must be a token id or a list of them")
        return frozenset(ids)

    def _get(self, key: str, default: Any) -> Any:
        value = self._values.get(key)
        if value is not None:
            return value
        if default is None:
            raise Unusable(f"{key} is missing")
        return default
