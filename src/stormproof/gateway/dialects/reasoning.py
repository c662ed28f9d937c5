"""What models think aloud, which providers call differently."""

from collections.abc import Mapping
from typing import Any


def reasoning_in(said: Mapping[str, Any]) -> str:
    """Return the thoughts in a message, or in a piece of one."""
    told = said.get("reasoning_content") or said.get("reasoning")
    return told if isinstance(told, str) else ""
