"""Texts that an old code page has all letters of are folded as bytes, in a tenth of the time."""

from collections.abc import Callable


class CodePage:
    """Folds texts, a byte for each character.

    Args:
        name: Of the page, as Python's codecs have it.
        folding: A fold: it maps each character by itself.
    """

    def __init__(self, name: str, folding: Callable[[str], str]) -> None:
        self._name = name
        letters = [bytes([code]).decode(name, "replace") for code in range(256)]
        folds = [folding(one).encode(name, "backslashreplace") for one in letters]
        self._harder = next(one for one in map(_byte, range(0x80, 0x100)) if one not in folds)
        """What stands for letters whose fold is longer, or not in the page."""
        self._became = b"".join(one if len(one) == 1 else self._harder for one in folds)
        self._vanish = bytes(code for code, one in enumerate(folds) if not one)

    def fold(self, text: str) -> str | None:
        """Return the fold of a text; None if it has letters of which that takes more than this."""
        try:
            encoded = text.encode(self._name)
        except UnicodeEncodeError:
            return None
        folded = encoded.translate(self._became, self._vanish)
        if self._harder in folded:
            return None
        return folded.decode("ascii" if folded.isascii() else self._name)


def _byte(code: int) -> bytes:
    return bytes([code])
