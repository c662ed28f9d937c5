"""What models have thought, in parts that they want back as they were, or that nobody minds."""

from collections.abc import Iterator
from typing import Any, Final

_TEXTS: Final = ("text", "summary", "thinking")
_SIGNING: Final = "anthropic"
"""So begin the formats of those who sign thoughts at their end."""


def unsigned_texts(thoughts: object) -> Iterator[tuple[int, str, str]]:
    """Yield the texts of thoughts that nobody has signed: where each is, its field, and the text.

    Others come back as they were, or their providers refuse them.

    Args:
        thoughts: What stands in ``reasoning_details`` or ``thinking_blocks``, or a piece of it.
    """
    for position, thought in enumerate(thoughts if isinstance(thoughts, list) else ()):
        if isinstance(thought, dict) and not _is_signed(thought):
            for field in _TEXTS:
                if isinstance(text := thought.get(field), str):
                    yield position, field, text


def _is_signed(thought: dict[str, Any]) -> bool:
    """Return whether there is a signature, or may be one that has not come yet."""
    return bool(thought.get("signature")) or str(thought.get("format")).startswith(_SIGNING)
