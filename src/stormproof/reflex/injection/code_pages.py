"""Texts that a code page has all letters of are folded as bytes, in a tenth of the time."""

import codecs
from collections.abc import Callable
from typing import Final

_ASCII: Final = "".join(map(chr, range(0x80)))
_UNUSED: Final = "\ufffe"
"""What stands in a page's table for bytes that are no letters, as Python has it."""


def code_page(letters: str) -> codecs.CodecInfo:
    """Return a page of ASCII and some letters.

    Args:
        letters: No more than 127.
    """
    by_code = f"{_ASCII}{letters}".ljust(0x100, _UNUSED)
    codes = codecs.charmap_build(by_code)
    return codecs.CodecInfo(
        lambda text, errors="strict": codecs.charmap_encode(text, errors, codes),
        lambda page, errors="strict": codecs.charmap_decode(page, errors, by_code),
    )


class CodePage:
    """Folds texts, a byte for each character.

    Args:
        codec: Of the page.
        folding: A fold: it maps each character by itself.
    """

    def __init__(self, codec: codecs.CodecInfo, folding: Callable[[str], str]) -> None:
        self._codec = codec
        letters = [codec.decode(bytes([code]), "replace")[0] for code in range(256)]
        folds = [codec.encode(folding(one), "backslashreplace")[0] for one in letters]
        self._harder = next(one for one in map(_byte, range(0x80, 0x100)) if one not in folds)
        """What stands for letters whose fold is longer, or not in the page."""
        self._became = b"".join(one if len(one) == 1 else self._harder for one in folds)
        self._vanish = bytes(code for code, one in enumerate(folds) if not one)

    def fold(self, text: str) -> str | None:
        """Return the fold of a text; None if it has letters of which that takes more than this."""
        try:
            encoded, _ = self._codec.encode(text)
        except UnicodeEncodeError:
            return None
        folded = encoded.translate(self._became, self._vanish)
        if self._harder in folded:
            return None
        return folded.decode("ascii") if folded.isascii() else self._codec.decode(folded)[0]


def _byte(code: int) -> bytes:
    return bytes([code])
