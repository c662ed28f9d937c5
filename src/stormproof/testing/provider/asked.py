"""A request to a scripted provider."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

from stormproof.testing.provider.replies import Said

_STREAMED: Final = re.compile(rb'"stream"\s*:\s*true')
_COUNTED: Final = re.compile(rb'"include_usage"\s*:\s*true')


class Api(StrEnum):
    """What was called, by the end of its path."""

    CHAT = "/chat/completions"
    """OpenAI's chat completions."""

    MESSAGES = "/messages"
    """Anthropic's messages."""

    COMPLETIONS = "/completions"
    """OpenAI's older completions."""

    EMBEDDINGS = "/embeddings"
    """OpenAI's embeddings."""


class Asked:
    """What a client sent.

    Args:
        api: What it called.
        body: What it sent there.

    Attributes:
        api: The same.
        body: The same.
    """

    def __init__(self, api: Api, body: bytes) -> None:
        self.api: Final = api
        self.body: Final = body

    @property
    def streamed(self) -> bool:
        """Whether it asks for a stream. Quotes inside its texts are escaped."""
        return _STREAMED.search(self.body) is not None

    @property
    def counted(self) -> bool:
        """Whether it asks for the tokens of its stream."""
        return _COUNTED.search(self.body) is not None

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The body, read."""
        document: Mapping[str, Any] = json.loads(self.body)
        return document

    @cached_property
    def conversation(self) -> tuple[Said, ...]:
        """Everything that was said so far, alike in all APIs; a text to continue is a user's."""
        before = {"role": "system", "content": self.document.get("system")}
        text = {"role": "user", "content": self.document.get("prompt")}
        return tuple(_flattened([before, text, *self.document.get("messages", ())]))

    @property
    def texts(self) -> tuple[str, ...]:
        """What is to be embedded."""
        given = self.document["input"]
        return (given,) if isinstance(given, str) else tuple(map(str, given))


def _flattened(messages: Iterable[Mapping[str, Any]]) -> Iterator[Said]:
    for message in messages:
        content = message.get("content")
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or ()
        texts = []
        for part in parts:
            if part["type"] == "tool_result":
                yield from _flattened([{"role": "tool", "content": part.get("content")}])
            elif part["type"] == "text":
                texts.append(part["text"])
        if texts or message["role"] == "tool":
            yield Said(message["role"], "".join(texts))
