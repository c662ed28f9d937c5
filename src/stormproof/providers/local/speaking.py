"""What the engine says, as OpenAI's API has it."""

import secrets
from collections.abc import Callable, Sequence
from typing import Any

from stormproof.engine import (
    Arguments,
    CallBegun,
    FinishReason,
    Output,
    Said,
    Spoken,
    TokenLogprobs,
    ToolCallReader,
)
from stormproof.providers.chat import Chunk, Document

TokenBytes = Callable[[int], bytes]


class Speaker:
    """Makes chunks of one answer.

    Args:
        index: Which answer, where several were asked for.
        token_bytes: What a token stands for.
        reader: Tells calls of tools from text, where there are tools.
    """

    def __init__(
        self, index: int, token_bytes: TokenBytes, reader: ToolCallReader | None = None
    ) -> None:
        self._index = index
        self._token_bytes = token_bytes
        self._reader = reader

    def chunks(self, output: Output) -> list[Chunk]:
        """Return what a piece says; nothing while it is not clear what it is."""
        deltas = [delta_of(piece) for piece in self._spoken(output)]
        logprobs = logprobs_of(output.logprobs, self._token_bytes)
        if logprobs and not deltas:
            deltas = [{"content": ""}]
        chunks = [Chunk(self._index, delta) for delta in deltas]
        if logprobs:
            chunks[0] = Chunk(self._index, deltas[0], None, logprobs)
        if output.finish_reason:
            chunks.append(Chunk(self._index, {}, self._reason(output)))
        return chunks

    def _spoken(self, output: Output) -> Sequence[Spoken]:
        if self._reader is None:
            return [Said(output.text)] if output.text else []
        spoken = self._reader.push(output.text)
        return [*spoken, *self._reader.flush()] if output.finish_reason else spoken

    def _reason(self, output: Output) -> str | None:
        return reason_of(output, self._reader)


def reason_of(output: Output, reader: ToolCallReader | None) -> str | None:
    """Return why an answer ends: to call a tool is an end of its own."""
    called = reader and reader.calls and output.finish_reason is FinishReason.STOP
    return "tool_calls" if called else output.finish_reason


def delta_of(piece: Spoken) -> Document:
    """Return what one chunk adds to a message."""
    match piece:
        case Said(text):
            return {"content": text}
        case CallBegun(index, name):
            return {"tool_calls": [{"index": index, **call_of(name)}]}
        case Arguments(index, text):
            return {"tool_calls": [{"index": index, "function": {"arguments": text}}]}


def call_of(name: str) -> Document:
    """Return a call that begins."""
    function = {"name": name, "arguments": ""}
    return {"id": f"call_{secrets.token_hex(12)}", "type": "function", "function": function}


def logprobs_of(
    positions: Sequence[TokenLogprobs], token_bytes: TokenBytes
) -> dict[str, Any] | None:
    """Return how likely tokens were, if that is known."""

    def token(token_id: int, logprob: float) -> Document:
        spelled = token_bytes(token_id)
        text = spelled.decode("utf-8", "replace")
        return {"token": text, "logprob": logprob, "bytes": list(spelled)}

    if not positions:
        return None
    return {
        "content": [
            {
                **token(position.token_id, position.logprob),
                "top_logprobs": [token(*other) for other in position.top],
            }
            for position in positions
        ]
    }


class TextLogprobs:
    """Tells how likely the tokens of continued texts were, and where in them they stand.

    Args:
        token_bytes: What a token stands for.
    """

    def __init__(self, token_bytes: TokenBytes) -> None:
        self._token_bytes = token_bytes
        self._offsets: dict[int, int] = {}

    def of(self, index: int, output: Output) -> Document | None:
        """Return what is known of the tokens of a piece.

        Args:
            index: Of which text.
            output: Its next piece.
        """
        if not output.logprobs:
            return None
        tokens = [self._text(position.token_id) for position in output.logprobs]
        offsets = []
        for token in tokens:
            offsets.append(self._offsets.get(index, 0))
            self._offsets[index] = offsets[-1] + len(token)
        return {
            "tokens": tokens,
            "token_logprobs": [position.logprob for position in output.logprobs],
            "top_logprobs": [
                {self._text(token_id): logprob for token_id, logprob in position.top}
                for position in output.logprobs
            ],
            "text_offset": offsets,
        }

    def _text(self, token_id: int) -> str:
        return self._token_bytes(token_id).decode("utf-8", "replace")
