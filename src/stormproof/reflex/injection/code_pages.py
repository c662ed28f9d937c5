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
        became, simple, vanish = bytearray(range(256)), bytearray(), bytearray()
        for code in range(256):
            letters = folding(bytes([code]).decode(name, "replace"))
            folded = letters.encode(name, "backslashreplace")  # many bytes if the page lacks one
            if len(folded) <= 1:
                simple.append(code)
                became[code : code + 1] = folded or b" "
            if not folded:
                vanish.append(code)
        self._became, self._simple, self._vanish = bytes(became), bytes(simple), bytes(vanish)

    def fold(self, text: str) -> str | None:
        """Return the fold of a text; None if it has letters of which that takes more than this."""
        try:
            encoded = text.encode(self._name)
        except UnicodeEncodeError:
            return None
        if encoded.translate(None, self._simple):
            return None
        return encoded.translate(self._became, self._vanish).decode(self._name)
