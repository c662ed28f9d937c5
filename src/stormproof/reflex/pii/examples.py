"""What stands in place of a secret where one is only spoken of."""

import re
from typing import Final

_EXAMPLE: Final = re.compile(
    r"[$%<]|\*+$|(?:your|my|the)[_-]|.*?(?:x{4}|\.{3}|example)", re.IGNORECASE
)
_JOINING: Final = str.maketrans("", "", "._-:/")


def is_example(written: str) -> bool:
    """Return whether somebody is to put a secret here: ``$TOKEN``, ``<token>``, ``your-token``."""
    return _EXAMPLE.match(written) is not None


def is_word(written: str) -> bool:
    """Return whether this may be prose or code: letters, and what joins names."""
    return written.translate(_JOINING).isalpha()
