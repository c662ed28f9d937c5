"""What clients ask, each something that nobody else does, and what they must be answered."""

import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from gateway_peers.client import request
from stormproof.testing.provider import Api, Asked, Reply, Said, ToolCall, vector_of

MODEL: Final = "soak"
EMBEDDER: Final = "soak-embedder"
_NUMBER: Final = re.compile(r"request (\d+)")
_FILLER: Final = "Explain in one paragraph why storms do not stop the mail. " * 6
_WORDS: Final = 24


class Kind(StrEnum):
    """How something is asked."""

    WHOLE = "whole"
    STREAMED = "streamed"
    PACED = "streamed, word by word"
    TOOLS = "tools, streamed"
    TEXT = "a text to continue"
    TEXT_STREAMED = "a text to continue, streamed"
    RESPONSE = "responses"
    RESPONSE_STREAMED = "responses, streamed"
    MESSAGES = "Anthropic's messages"
    MESSAGES_STREAMED = "Anthropic's messages, streamed"
    EMBEDDED = "embeddings"


SHARES: Final = {
    Kind.WHOLE: 20,
    Kind.STREAMED: 15,
    Kind.PACED: 10,
    Kind.TOOLS: 15,
    Kind.TEXT: 5,
    Kind.TEXT_STREAMED: 5,
    Kind.RESPONSE: 5,
    Kind.RESPONSE_STREAMED: 5,
    Kind.MESSAGES: 5,
    Kind.MESSAGES_STREAMED: 5,
    Kind.EMBEDDED: 10,
}
_PATHS: Final = {
    Kind.TEXT: "/v1/completions",
    Kind.TEXT_STREAMED: "/v1/completions",
    Kind.RESPONSE: "/v1/responses",
    Kind.RESPONSE_STREAMED: "/v1/responses",
    Kind.MESSAGES: "/v1/messages",
    Kind.MESSAGES_STREAMED: "/v1/messages",
    Kind.EMBEDDED: "/v1/embeddings",
}


@dataclass(frozen=True, slots=True)
class Question:
    """A request.

    Attributes:
        number: What tells it from all others.
        kind: How it is asked.
    """

    number: int
    kind: Kind

    @property
    def text(self) -> str:
        """What its client says."""
        return f"request {self.number}: {self.kind}. {_FILLER}"

    @property
    def id(self) -> str:
        """What its client calls it."""
        return f"soak-{self.number}"

    @property
    def reply(self) -> Reply:
        """What must be said to it."""
        return speaker([Said("user", self.text)])

    @property
    def vector(self) -> tuple[float, ...]:
        """The vector that it must get."""
        return vector_of(self.text)

    @property
    def wire(self) -> bytes:
        """All of it, as it is sent."""
        path = _PATHS.get(self.kind, "/v1/chat/completions")
        return request(self._body(), {"x-request-id": self.id}, path)

    def _body(self) -> dict[str, Any]:
        if self.kind is Kind.EMBEDDED:
            return {"model": EMBEDDER, "input": [self.text], "encoding_format": "float"}
        if self.kind in {Kind.TEXT, Kind.TEXT_STREAMED}:
            asked: dict[str, Any] = {"model": MODEL, "prompt": self.text}
        elif self.kind in {Kind.RESPONSE, Kind.RESPONSE_STREAMED}:
            asked = {"model": MODEL, "input": self.text}
        else:
            asked = {"model": MODEL, "messages": [{"role": "user", "content": self.text}]}
        return {**asked, **self._options()}

    def _options(self) -> dict[str, Any]:
        match self.kind:
            case Kind.WHOLE | Kind.TEXT | Kind.RESPONSE:
                return {}
            case Kind.RESPONSE_STREAMED:
                return {"stream": True}
            case Kind.MESSAGES:
                return {"max_tokens": 999}
            case Kind.MESSAGES_STREAMED:
                return {"max_tokens": 999, "stream": True}
        counted = {"stream": True, "stream_options": {"include_usage": True}}
        return {**counted, **(_TOOLS if self.kind is Kind.TOOLS else {})}


def drawn(number: int, kinds: Sequence[Kind], chance: random.Random) -> Question:
    """Return a request of some kind."""
    [kind] = chance.choices(kinds, [SHARES[kind] for kind in kinds])
    return Question(number, kind)


def speaker(conversation: Sequence[Said]) -> Reply:
    """Say to everybody something else, and always the same."""
    asked = next(text for role, text in conversation if role == "user")
    number = number_in(asked)
    if Kind.TOOLS in asked:
        places = ({"place": place, "for": number} for place in ("Rome", "Oslo"))
        calls = tuple(ToolCall("weather", json.dumps(place)) for place in places)
        return Reply(f"For {number} I look at both. ", calls)
    return Reply(" ".join(f"{number}.{place}" for place in range(_WORDS)))


def number_of(asked: Asked) -> int:
    """Return which request a provider is asked for."""
    if asked.api is Api.EMBEDDINGS:
        return number_in(asked.texts[0])
    return number_in(next(text for role, text in asked.conversation if role == "user"))


def number_in(text: str) -> int:
    """Return which request a text belongs to."""
    found = _NUMBER.match(text)
    assert found is not None
    return int(found[1])


def is_begun(asked: Asked) -> bool:
    """Say whether a provider is asked for the rest of an answer."""
    if asked.api is Api.COMPLETIONS:
        return not asked.document["prompt"].endswith(_FILLER)
    return any(role == "assistant" for role, _ in asked.conversation)


_TOOLS: Final[Mapping[str, Any]] = {
    "tools": [
        {
            "type": "function",
            "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
        }
    ]
}
