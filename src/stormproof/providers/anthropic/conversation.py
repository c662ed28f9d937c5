"""A conversation as Anthropic has it: instructions apart, and two sides that take turns."""

import re
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Final

import msgspec
from msgspec import Struct

from stormproof.errors import InvalidRequest
from stormproof.providers.anthropic.content import blocks, marked
from stormproof.providers.chat import ChatRequest, Document, Message
from stormproof.providers.documents import parsed

INSTRUCTION: Final = (
    "The line was cut in the middle of your answer. Write the rest of it, beginning with the very"
    " next character. Repeat nothing of what is there, and do not mention the interruption."
)
"""For a model that does not go on by itself with what a client has begun for it."""

_INSTRUCTING: Final = frozenset({"system", "developer"})
_NOT_IN_ID: Final = re.compile(r"[^a-zA-Z0-9_-]")


class _Function(Struct):
    name: str
    arguments: str = ""


class _Call(Struct):
    id: str
    function: _Function


def instructions(request: ChatRequest) -> list[Document]:
    """Return what system and developer said, wherever: not every model takes it in between."""
    told = [message.content for message in request.messages if message.role in _INSTRUCTING]
    return [block for content in told for block in blocks(content)]


def turns(request: ChatRequest, *, prefills: bool) -> list[Document]:
    """Return what user and assistant said, each side's messages in a row as one.

    Args:
        request: The conversation.
        prefills: Whether the model goes on with a last message of the assistant; if not, it is
            asked to.

    Raises:
        InvalidRequest: A message cannot be translated.
    """
    told = zip(request.messages, request.document["messages"], strict=True)
    said = [_said(message, sent) for message, sent in told if message.role not in _INSTRUCTING]
    sides = groupby([turn for turn in said if turn[1]], key=itemgetter(0))
    made = [
        {"role": side, "content": [block for _, content in turn for block in content]}
        for side, turn in sides
    ]
    if not made or made[-1]["role"] == "user":
        return made
    if not prefills:
        return [*made, {"role": "user", "content": blocks(INSTRUCTION)}]
    *before, last = made
    return [*before, {**last, "content": _trimmed(last["content"])}]


def _said(message: Message, sent: Document) -> tuple[str, list[Document]]:
    """Return whose turn a message belongs to, and what it adds."""
    if message.role == "user":
        return "user", blocks(message.content)
    if message.role == "tool":
        return "user", [_result(message, sent)]
    if message.role == "assistant":
        calls = [_call(call) for call in message.tool_calls or ()]
        return "assistant", [*_thoughts(sent), *blocks(message.content), *calls]
    raise InvalidRequest(reason="the model knows tools, and no functions", param="messages")


def _trimmed(content: list[Document]) -> list[Document]:
    """Take off the white space at the end, with which Anthropic refuses to be begun for."""
    match content:
        case [*before, {"type": "text", "text": str(text)} as last]:
            return [*before, {**last, "text": text.rstrip()}]
    return content


def _thoughts(sent: Document) -> Sequence[Document]:
    """Return what the model thought, which it wants back as it was while tools are in use."""
    thoughts = sent.get("thinking_blocks")
    if not isinstance(thoughts, list) or not all(isinstance(one, dict) for one in thoughts):
        return ()
    return [{name: one[name] for name in one if name != "index"} for one in thoughts]


def tool_use(call: Document) -> Document:
    """Return a call of a tool.

    Raises:
        msgspec.DecodeError: It is none with an id, a name, and a JSON object of arguments.
        UnicodeError: Its arguments are no text.
        RecursionError: They are nested too deeply.
    """
    known = msgspec.convert(call, _Call)
    arguments = parsed((known.function.arguments or "{}").encode())
    name = known.function.name
    made = {"type": "tool_use", "id": _id(known.id), "name": name, "input": arguments}
    return marked(call, made)


def _call(call: Document) -> Document:
    try:
        return tool_use(call)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise InvalidRequest(
            reason="a tool call must have an id, a name, and a JSON object of arguments",
            param="messages",
        ) from None  # the original may quote the prompt


def _result(message: Message, sent: Document) -> Document:
    if not message.tool_call_id:
        raise InvalidRequest(reason="a tool's message must have a tool_call_id", param="messages")
    result = {"type": "tool_result", "tool_use_id": _id(message.tool_call_id)}
    failed = {"is_error": True} if sent.get("is_error") is True else {}
    content = blocks(message.content)
    return marked(sent, {**result, **failed, **({"content": content} if content else {})})


def _id(given: str) -> str:
    """Return an id that Anthropic takes: another model may have made the call."""
    return _NOT_IN_ID.sub("_", given)
