"""Answers that may call tools, in OpenAI's shapes."""

from collections.abc import Callable, Sequence

from stormproof.engine import (
    Arguments,
    CallBegun,
    Output,
    Said,
    Spoken,
    ToolCallReader,
)
from stormproof.gateway import sse
from stormproof.gateway.answers import ChatFormat, Json
from stormproof.providers.local.speaking import TokenBytes, call_of, delta_of, reason_of


class ToolChatFormat(ChatFormat):
    """``chat.completion`` with ``tool_calls``, whole and in chunks.

    Args:
        reader: Makes what tells the calls of one answer from its text.
        options: As for `ChatFormat`.
    """

    def __init__(
        self,
        model: str,
        token_bytes: TokenBytes,
        *,
        with_usage: bool,
        reader: Callable[[], ToolCallReader],
    ) -> None:
        super().__init__(model, token_bytes, with_usage=with_usage)
        self._reader = reader
        self._readers: dict[int, ToolCallReader] = {}

    def piece(self, index: int, output: Output) -> bytes:
        """Return the events for one piece; none while it is not clear what it is."""
        return sse.data(*self._chunks(index, output))

    def _choice(self, index: int, output: Output) -> Json:
        reader = self._reader()
        spoken = reader.push(output.text) + reader.flush()
        text = "".join(piece.text for piece in spoken if isinstance(piece, Said))
        choice = super()._choice(index, output)
        choice["message"]["content"] = text or (None if reader.calls else "")
        choice["finish_reason"] = reason_of(output, reader)
        if reader.calls:
            choice["message"]["tool_calls"] = _joined(spoken)
        return choice

    def _chunks(self, index: int, output: Output) -> list[Json]:
        reader = self._readers.setdefault(index, self._reader())
        spoken = reader.push(output.text)
        if output.finish_reason:
            spoken += reader.flush()
        chunks = [self._delta(index, delta_of(piece)) for piece in spoken]
        if output.logprobs:
            chunks = chunks or [self._text_chunk(index, "")]
            chunks[0]["choices"][0]["logprobs"] = self._logprobs(output)
        if output.finish_reason:
            chunks.append(self._delta(index, {}, reason_of(output, reader)))
        return chunks


def _joined(spoken: Sequence[Spoken]) -> list[Json]:
    """Make the calls of a whole answer."""
    calls: list[Json] = []
    for piece in spoken:
        if isinstance(piece, CallBegun):
            calls.append(call_of(piece.name))
        elif isinstance(piece, Arguments):
            calls[piece.index]["function"]["arguments"] += piece.text
    return calls
