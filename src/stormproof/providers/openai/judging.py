"""Whether what a provider sent with a good status is an answer at all.

Proxies answer 200 with a page of HTML, overloaded servers with no choices, models with nothing. A
client must not hear of success before somebody has looked.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from stormproof.errors import ProviderError, StormproofError, provider_error
from stormproof.providers.chat import Chunk, Completion, Document, Usage

_JSON: Final = msgspec.json.Decoder(Document)
_ENDED_EARLY: Final = frozenset({"length", "content_filter"})


class Judge:
    """Reads one provider's answers.

    Args:
        provider: Whose errors they are.
    """

    def __init__(self, provider: str) -> None:
        self._provider = provider

    def document(self, body: bytes) -> Document:
        """Return a JSON object.

        Raises:
            ProviderError: It is none.
        """
        try:
            return _JSON.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            page = body.lstrip()[:1] == b"<"
            what = "a web page" if page else "what is not JSON" if body else "nothing"
            raise self._bad(f"answered with {what}") from error

    def completion(self, body: bytes) -> Completion:
        """Return a whole answer.

        Raises:
            StormproofError: It is an error, or no answer.
        """
        document = self.document(body)
        self._check_no_error(document)
        choices = document.get("choices")
        if not isinstance(choices, list) or not choices:
            raise self._bad("answered without a choice")
        for choice in choices:
            self._check_choice(choice)
        return Completion(document, usage_of(document) or Usage())

    def chunks(self, data: bytes) -> list[Chunk]:
        """Return what an event of a stream holds; nothing if that concerns nobody.

        Raises:
            StormproofError: It is an error, or no part of an answer.
        """
        document = self.document(data)
        self._check_no_error(document)
        choices, usage = document.get("choices"), usage_of(document)
        if not isinstance(choices, list):
            raise self._bad("sent an event that is no part of an answer")
        chunks = [self._chunk(choice) for choice in choices]
        return [*chunks, Chunk(usage=usage)] if usage else chunks

    def _chunk(self, choice: Any) -> Chunk:
        try:
            delta, index = choice.get("delta") or {}, choice.get("index", 0)
            reason, logprobs = choice.get("finish_reason"), choice.get("logprobs")
        except AttributeError as error:
            raise self._bad("sent an event that is no part of an answer") from error
        fine = isinstance(delta, dict) and isinstance(index, int) and isinstance(reason, str | None)
        if not fine or not isinstance(delta.get("content"), str | None):
            raise self._bad("sent an event that is no part of an answer")
        return Chunk(index, delta, reason or None, logprobs)

    def _check_no_error(self, document: Document) -> None:
        if document.get("error"):
            raise self.refusal(None, {}, document)

    def _check_choice(self, choice: Any) -> None:
        message = choice.get("message") if isinstance(choice, dict) else None
        if not isinstance(message, dict) or not isinstance(message.get("content"), str | None):
            raise self._bad("answered with a choice that is no message")
        if not isinstance(choice.get("finish_reason"), str):
            raise self._bad("answered with a choice that does not say why it ends")
        said = any(value for name, value in message.items() if name != "role")
        if not said and choice["finish_reason"] not in _ENDED_EARLY:
            raise self._bad("answered with an empty message")

    def refusal(
        self, status: int | None, headers: Mapping[str, str], body: object
    ) -> StormproofError:
        """Return the error that an answer with another status means."""
        return provider_error(self._provider, status=status, headers=headers, body=body)

    def _bad(self, what: str) -> ProviderError:
        return ProviderError(provider=self._provider, error_message=f"it {what}")


def usage_of(document: Document) -> Usage | None:
    """Return the tokens that a provider counted, as far as it makes sense."""
    try:
        return msgspec.convert(document.get("usage"), Usage | None)
    except msgspec.ValidationError:
        return None
