"""Scripts: what of them makes one word with what stands beside it."""

import re
from collections.abc import Sequence
from typing import Final

_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7ff\uf900-\ufaff"
    "\uff66-\uffdc\U00020000-\U0003ffff]+"
)
"""Thai, Lao, Burmese, Khmer, Chinese and Japanese put no space between words, and Korean none
before its particles."""

_LENGTHS: Final = range(2, 7)
"""Of words that tell something, such as `电话` and `マイナンバー`."""


def joins(character: str) -> bool:
    """Return whether a character makes one word, or one number, with a letter or digit beside it.

    Args:
        character: One, or none, which joins nothing.
    """
    return character.isalnum() and (character.isascii() or not _UNSPACED.match(character))


def is_of_word(character: str) -> bool:
    """Return whether a character is a letter, a mark on one, a digit or a low line."""
    return f"_{character}".isidentifier()


def unspaced_words(text: str) -> Sequence[str]:
    """Return all that may be a word in a text of scripts that put no space between them."""
    if text.isascii():
        return ()
    return [
        run[start : start + length]
        for run in _UNSPACED.findall(text)
        for length in _LENGTHS
        for start in range(len(run) - length + 1)
    ]
