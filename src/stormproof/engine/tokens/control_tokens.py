"""Tokens that steer a model, and how a user's text is kept from spelling them.

A model tells its instructions from a user's words by tokens such as ``<|im_end|>``. A chat template
writes them as text, so the rendered text must be searched for them; but the same letters inside a
message are only letters. Before rendering, every message is *marked*: a character that occurs in
none of them is put inside whatever would spell a control token. Templates can still trim, search
and split the messages as they like. After rendering, control tokens are found first, and only then
are the marks taken out of the text between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from stormproof.errors import PromptError

if TYPE_CHECKING:
    from tokenizers import AddedToken

_PRIVATE_USE: Final = (range(0xE000, 0xF900), range(0xF0000, 0xFFFFE), range(0x100000, 0x10FFFE))


class ControlTokens:
    """The control tokens of one vocabulary.

    Args:
        tokens: The tokens by id. One of a single character cannot be marked and is left out.
    """

    def __init__(self, tokens: Mapping[int, AddedToken]) -> None:
        longest_first = sorted(
            ((token, id_) for id_, token in tokens.items() if len(token.content) > 1),
            key=lambda entry: -len(entry[0].content),
        )
        self.ids: Final = {token.content: id_ for token, id_ in longest_first}
        self._in_order = [id_ for _, id_ in longest_first]
        texts = [re.escape(text) for text in self.ids]
        never = r"(?!)"
        self._tokens = re.compile("|".join(_pattern(token) for token, _ in longest_first) or never)
        self._starts = re.compile(f"(?s)(?={'|'.join(texts) or never})(.)")
        self._beginnings = tuple({text[:n] for text in self.ids for n in range(1, len(text))})

    def split(self, text: str) -> Iterator[str | int]:
        """Cuts a text into control tokens, as ids, and the text before, between and after them."""
        end = 0
        for found in self._tokens.finditer(text):
            yield text[end : found.start()]
            yield self._in_order[(found.lastindex or 1) - 1]
            end = found.end()
        yield text[end:]

    def mark(self, value: Any, mark: str) -> Any:
        """Marks every text in a value built of dicts and lists, see the module."""
        if isinstance(value, str):
            return self._mark_text(value, mark)
        if isinstance(value, Mapping):
            return {self.mark(key, mark): self.mark(item, mark) for key, item in value.items()}
        if isinstance(value, Sequence):
            return [self.mark(item, mark) for item in value]
        return value

    def _mark_text(self, text: str, mark: str) -> str:
        text = self._starts.sub(rf"\1{mark}", text)
        # Two messages that a template joins must not spell a token together either.
        trimmed = text.rstrip()
        if trimmed.endswith(self._beginnings):
            text = trimmed + mark + text[len(trimmed) :]
        return text


def unused_mark(value: Any) -> str:
    """A character that occurs nowhere in a value built of dicts and lists.

    Raises:
        PromptError: Every character set aside for private use occurs.
    """
    used = set().union(*_texts(value))
    for codes in _PRIVATE_USE:
        for code in codes:
            if chr(code) not in used:
                return chr(code)
    raise PromptError(reason="the messages use every private character of Unicode")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from _texts(item)


def _pattern(token: AddedToken) -> str:
    before = r"\s*" if token.lstrip else ""
    after = r"\s*" if token.rstrip else ""
    return f"({before}{re.escape(token.content)}{after})"
