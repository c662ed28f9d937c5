"""Text from tokens, one token at a time."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stormproof.engine.tokens.tokenizer import Tokenizer

_UTF8: Final = codecs.getincrementaldecoder("utf-8")


class Detokenizer:
    """Turns one sequence's tokens into text as they come.

    A token may end inside a character. What it leaves open is held back until the next token, so
    that all the pieces together are exactly what `Tokenizer.decode` makes of all the tokens.

    Args:
        tokenizer: The tokenizer of the model that makes the tokens.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._token_bytes = tokenizer.token_bytes
        self._decoder = _UTF8("replace")

    def push(self, token_id: int) -> str:
        """The text that a token adds; empty while a character is incomplete."""
        return self._decoder.decode(self._token_bytes(token_id))

    def flush(self) -> str:
        """What is left when no token follows: U+FFFD for an incomplete character, or nothing."""
        return self._decoder.decode(b"", final=True)
