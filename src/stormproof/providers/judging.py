"""Whether what a provider sent with a good status is an answer at all.

Proxies answer 200 with a page of HTML, overloaded servers with no choices, models with nothing. A
client must not hear of success before somebody has looked.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from stormproof.errors import (
    ConnectionLost,
    InvalidRequest,
    ProviderError,
    StormproofError,
    provider_error,
)
from stormproof.providers.chat import Chunk, Completion, Document, Usage

_NOT_THERE: Final = frozenset({404, 405, 410})
_JSON: Final = msgspec.json.Decoder(Document)
ENDED_EARLY: Final = frozenset({"length", "content_filter"})
"""Reasons to finish after which an answer need not be whole in itself."""


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    index: int = 0
    function: _Function | None = None


class _Token(msgspec.Struct):
    token: str


class _Logprobs(msgspec.Struct):
    content: list[_Token] | None = None


class Judge:
    """Looks at one provider's answers, in the common tongue.

    Args:
        provider: Whose errors they are.
    """

    def __init__(self, provider: str) -> None:
        self._provider = provider

    def document(self, body: bytes) -> Document:
        """Return a JSON object.

        Raises:
            ProviderError: It is none.
            StormproofError: It tells of an error.
        """
        try:
            document = _JSON.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            page = body.lstrip()[:1] == b"<"
            what = "a web page" if page else "what is not JSON" if body else "nothing"
            raise self.bad(f"answered with {what}") from error
        if document.get("error"):
            raise self.refusal(None, {}, document)
        return document

    def completion(self, document: Document) -> Completion:
        """Return a whole answer.

        Raises:
            ProviderError: It is no answer.
        """
        choices = document.get("choices")
        if not isinstance(choices, list) or not choices:
            raise self.bad("answered without a choice")
        for choice in choices:
            self._check_choice(choice)
        return Completion(document, usage_of(document) or Usage())

    def chunks(self, document: Document) -> list[Chunk]:
        """Return what an event of a stream holds; nothing if that concerns nobody.

        Raises:
            ProviderError: It is no part of an answer.
        """
        choices, usage = document.get("choices"), usage_of(document)
        if not isinstance(choices, list):
            raise self.bad_event()
        chunks = [self._chunk(choice) for choice in choices]
        return [*chunks, Chunk(usage=usage)] if usage else chunks

    def _chunk(self, choice: Any) -> Chunk:
        try:
            delta, index = choice.get("delta") or {}, choice.get("index", 0)
            reason, logprobs = choice.get("finish_reason"), choice.get("logprobs")
        except AttributeError as error:
            raise self.bad_event() from error
        fine = isinstance(delta, dict) and isinstance(index, int) and isinstance(reason, str | None)
        if not fine or not _is_said(delta) or not _are_logprobs(logprobs):
            raise self.bad_event()
        return Chunk(index, delta, reason or None, logprobs)

    def _check_choice(self, choice: Any) -> None:
        message = choice.get("message") if isinstance(choice, dict) else None
        if not isinstance(message, dict) or not _is_said(message):
            raise self.bad("answered with a choice that is no message")
        if not isinstance(choice.get("finish_reason"), str):
            raise self.bad("answered with a choice that does not say why it ends")
        said = message.get("content") or _says_anything(message)
        if not said and choice["finish_reason"] not in ENDED_EARLY:
            raise self.bad("answered with an empty message")

    def refusal(
        self, status: int | None, headers: Mapping[str, str], body: object
    ) -> StormproofError:
        """Return the error that an answer with another status means.

        Where a model is asked is up to the settings, and no fault of who asks, unless he named
        something that is not there.
        """
        error = provider_error(self._provider, status=status, headers=headers, body=body)
        if status in _NOT_THERE and isinstance(error, InvalidRequest) and not error.param:
            said = f"nobody answers there: {error.reason}"
            return ProviderError(provider=self._provider, status_code=status, error_message=said)
        return error

    def bad(self, what: str) -> ProviderError:
        """Return the error that it is to have done something."""
        return ProviderError(provider=self._provider, error_message=f"it {what}")

    def bad_event(self) -> ProviderError:
        """Return the error that an event of a stream is that cannot be understood."""
        return self.bad("sent an event that is no part of an answer")


class Ends:
    """Which answers of a stream have said why they end.

    Args:
        answers: How many there have to be.
    """

    def __init__(self, answers: int) -> None:
        self._answers = answers
        self._ended: set[int] = set()

    def note(self, chunk: Chunk) -> None:
        """Look at a piece."""
        if chunk.finish_reason:
            self._ended.add(chunk.index)

    def check(self) -> None:
        """Say whether the stream may end.

        Raises:
            ConnectionLost: One has not.
        """
        if len(self._ended) < self._answers:
            raise ConnectionLost(reason="the stream ended before the answer did")


def _says_anything(message: Document) -> bool:
    return any(value for name, value in message.items() if name != "role")


def _is_said(message: Document) -> bool:
    """Whether text and calls are what they must be, as far as anybody here looks at them."""
    calls = message.get("tool_calls")
    try:
        if calls is not None:
            msgspec.convert(calls, list[_ToolCall])
    except msgspec.ValidationError:
        return False
    return isinstance(message.get("content"), str | None)


def _are_logprobs(logprobs: Any) -> bool:
    """Whether each token says what it is."""
    try:
        if logprobs is not None:
            msgspec.convert(logprobs, _Logprobs)
    except msgspec.ValidationError:
        return False
    return True


def usage_of(document: Document) -> Usage | None:
    """Return the tokens that a provider counted, as far as it makes sense."""
    counted = document.get("usage")
    try:
        return msgspec.convert(counted, Usage) if counted else None
    except msgspec.ValidationError:
        return None
