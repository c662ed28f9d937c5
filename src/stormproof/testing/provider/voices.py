"""Who speaks which API."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from stormproof.testing.provider import (
    anthropic_wire,
    completions_wire,
    embeddings_wire,
    openai_wire,
)
from stormproof.testing.provider.asked import Api, Asked
from stormproof.testing.provider.http_wire import Stream
from stormproof.testing.provider.replies import Reply, Rest, Speaker, rest_of, rest_of_text, text_of


class _Streams(Protocol):
    def __call__(self, rest: Rest, *, counted: bool) -> Stream: ...


class Dialect(NamedTuple):
    """How a conversation goes on in one API.

    Attributes:
        whole: Makes an answer that is not streamed.
        stream: Makes one that is.
        refusal: Makes an error, of a status and a ``Retry-After``.
        error: The event that tells of one.
        garbage: An event that nobody can read.
    """

    whole: Callable[[Rest], bytes]
    stream: _Streams
    refusal: Callable[[int, int | None], bytes]
    error: bytes
    garbage: bytes


_OPENAI: Final = Dialect(
    openai_wire.whole,
    openai_wire.stream,
    openai_wire.refusal,
    openai_wire.ERROR_EVENT,
    openai_wire.GARBAGE,
)
_ANTHROPIC: Final = Dialect(
    anthropic_wire.whole,
    anthropic_wire.stream,
    anthropic_wire.refusal,
    anthropic_wire.ERROR_EVENT,
    anthropic_wire.GARBAGE,
)
_TEXTS: Final = _OPENAI._replace(
    whole=completions_wire.whole,
    stream=completions_wire.stream,
    garbage=completions_wire.GARBAGE,
)
_DIALECTS: Final = {Api.MESSAGES: _ANTHROPIC, Api.COMPLETIONS: _TEXTS}


def dialect_of(api: Api) -> Dialect:
    """Return how an API is spoken."""
    return _DIALECTS.get(api, _OPENAI)


def whole_answer(asked: Asked, says: Speaker | None, tokens: int) -> bytes:
    """Return the answer to a request that wants it at once.

    Args:
        asked: The request.
        says: Who speaks; if nobody does, the answer is a text.
        tokens: How long the text is.
    """
    if asked.api is Api.EMBEDDINGS:
        packed = asked.document.get("encoding_format") == "base64"
        return embeddings_wire.vectors(asked.texts, packed=packed)
    return dialect_of(asked.api).whole(_rest(asked, says, tokens))


def streamed_answer(asked: Asked, says: Speaker | None, tokens: int) -> Stream:
    """Return the answer to a request that wants a stream; arguments as for `whole_answer`."""
    rest = _rest(asked, says, tokens)
    return dialect_of(asked.api).stream(rest, counted=asked.counted)


def _rest(asked: Asked, says: Speaker | None, tokens: int) -> Rest:
    text = _text(tokens)
    if says is None and asked.api is Api.CHAT and b'"assistant"' not in asked.body:
        return text  # read by nobody: a provider under load has no time for that
    says = says or (lambda _: text.reply)
    if asked.api is Api.COMPLETIONS:
        return rest_of_text(asked.document["prompt"], says)
    return rest_of(asked.conversation, says)


@lru_cache
def _text(tokens: int) -> Rest:
    return Rest(Reply(text_of(tokens)))
