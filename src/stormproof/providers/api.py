"""A provider's API: documents go there, and come back."""

from collections.abc import Mapping
from typing import Final

import msgspec
from pydantic import SecretStr

from stormproof.errors import InvalidRequest, StormproofError
from stormproof.providers.chat import Document
from stormproof.providers.http.client import HttpClient
from stormproof.providers.http.response import Response
from stormproof.providers.judging import Judge
from stormproof.recovery import Deadline

_encode: Final = msgspec.json.Encoder().encode

_MOST: Final = 64 << 20
"""Bytes of an answer."""

_MOST_REFUSAL: Final = 1 << 16
_GOOD: Final = range(200, 300)


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a provider listens, and how it wants to be asked.

    Attributes:
        provider: Its name in errors.
        url: Of its chat API.
        headers: Sent with each request, the key apart.
        key_header: The header that takes the key.
        key_prefix: What stands before it there.
        counts_streams: Whether it counts the tokens of a stream when asked to.
        max_tokens_field: What it calls the limit of an answer; by default what the client did.
        prefill_message: Fields that a last message of the assistant needs, to be gone on with.
        prefill_body: Fields that the request needs for that.
        heeds_deadlines: Whether it is one of ours, and is told how much time is left.
    """

    provider: str
    url: str
    headers: Mapping[str, str] = {}
    key_header: str = "authorization"
    key_prefix: str = "Bearer "
    counts_streams: bool = True
    max_tokens_field: str | None = None
    prefill_message: Mapping[str, bool] = {}
    prefill_body: Mapping[str, bool] = {}
    heeds_deadlines: bool = False


class Api:
    """Talks to one endpoint.

    Args:
        endpoint: Where it is.
        client: Sends the requests.
        key: Proves who we are.

    Attributes:
        judge: Looks at what comes back.
    """

    def __init__(self, endpoint: Endpoint, client: HttpClient, key: SecretStr | None) -> None:
        self.judge: Final = Judge(endpoint.provider)
        self._endpoint = endpoint
        self._client = client
        self._headers = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            **endpoint.headers,
        }
        if key:
            self._headers[endpoint.key_header] = endpoint.key_prefix + key.get_secret_value()

    async def send(self, document: Document, headers: Mapping[str, str] = {}) -> Response:
        """Send a document, without its fields that are None, and return a good answer's head.

        Args:
            document: What to send.
            headers: Besides those of the endpoint.

        Raises:
            StormproofError: The answer is not a good one.
        """
        sent = {name: value for name, value in document.items() if value is not None}
        try:
            body = _encode(sent)
        except RecursionError:
            raise InvalidRequest(reason="the request is nested too deeply") from None
        response = await self._client.send(
            "POST", self._endpoint.url, {**self._headers_now(), **headers}, body
        )
        if response.status in _GOOD:
            return response
        with response:
            raise await self._refusal(response)

    async def look_up(self, url: str) -> Response:
        """Ask for what stands at an address of the provider; return the head, whatever it says.

        Args:
            url: Where.

        Raises:
            NetworkError: The provider cannot be reached.
        """
        return await self._client.send("GET", url, self._headers_now())

    async def body(self, response: Response) -> bytes:
        """Return what came back.

        Raises:
            StormproofError: It is an error.
        """
        if response.status not in _GOOD:
            raise await self._refusal(response)
        return await response.read(_MOST)

    async def document(self, response: Response) -> Document:
        """Return the document that came back.

        Raises:
            StormproofError: It is none, or tells of an error.
        """
        return self.judge.document(await response.read(_MOST))

    async def _refusal(self, response: Response) -> StormproofError:
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in response.headers
        }
        try:
            body: object = msgspec.json.decode(await response.read(_MOST_REFUSAL))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, StormproofError):
            body = None  # the status says enough
        return self.judge.refusal(response.status, headers, body)

    def _headers_now(self) -> Mapping[str, str]:
        left = Deadline.to_header() if self._endpoint.heeds_deadlines else None
        return {**self._headers, Deadline.HEADER: left} if left else self._headers


def is_stream(response: Response) -> bool:
    """Whether events come back, and not one document."""
    return "event-stream" in (response.header("content-type") or "")
