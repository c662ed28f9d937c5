"""What OpenAI's two APIs for answers have in common: one document, or events up to a mark."""

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final

from pydantic import SecretStr

from stormproof.providers.api import Api, Endpoint, is_stream
from stormproof.providers.chat import Chunk, Completion, Document, in_chunks
from stormproof.providers.http.client import HttpClient
from stormproof.providers.judging import Ends, Judge
from stormproof.providers.sse import EventDecoder

_DONE: Final = b"[DONE]"


class Answering:
    """Asks an endpoint, and reads what comes back.

    Args:
        endpoint: The provider.
        client: Sends the requests.
        key: Proves who we are.
        whole: Reads an answer at once.
        pieces: Reads an event of one that is streamed.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        client: HttpClient,
        key: SecretStr | None,
        *,
        whole: Callable[[Judge, Document], Completion],
        pieces: Callable[[Judge, Document], Sequence[Chunk]],
    ) -> None:
        self._api = Api(endpoint, client, key)
        self._whole = whole
        self._pieces = pieces
        self._counted = {"include_usage": True} if endpoint.counts_streams else None

    async def complete(self, document: Document) -> Completion:
        """Return the answer to a document at once."""
        fields = {"stream": None, "stream_options": None}
        with await self._api.send({**document, **fields}) as response:
            return self._whole(self._api.judge, await self._api.document(response))

    async def chunks(self, document: Document, *, answers: int) -> AsyncGenerator[Chunk, None]:
        """Yield what a stream of so many answers holds, up to its end or its mark for that."""
        fields = {"stream": True, "stream_options": self._counted}
        with await self._api.send({**document, **fields}) as response:
            if not is_stream(response):
                answer = self._whole(self._api.judge, await self._api.document(response))
                for chunk in in_chunks(answer):
                    yield chunk
                return
            judge, decoder, ends = self._api.judge, EventDecoder(), Ends(answers)
            while received := await response.receive():
                for event in decoder.feed(received):
                    if event.data == _DONE:
                        response.leave()
                        ends.check()
                        return
                    for chunk in self._pieces(judge, judge.document(event.data)):
                        ends.note(chunk)
                        yield chunk
            ends.check()
