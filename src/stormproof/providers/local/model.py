"""The engine of this machine, asked as any other provider is."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Final

from pydantic import ValidationError

from stormproof.engine import AsyncLLM, Output, ToolCallReader
from stormproof.errors import InternalError, InvalidRequest
from stormproof.providers.chat import (
    Capability,
    ChatRequest,
    Chunk,
    Completion,
    Document,
    Usage,
)
from stormproof.providers.collector import Collector
from stormproof.providers.local import schema
from stormproof.providers.local.generation import Choice, Watch, generate
from stormproof.providers.local.prompts import Limits, Prompts
from stormproof.providers.local.speaking import Speaker
from stormproof.providers.plain import plain

ENGINE_CAPABILITIES: Final = frozenset(
    {Capability.TOOLS, Capability.JSON_SCHEMA, Capability.LOGPROBS, Capability.CHOICES}
)
"""What the engine can do."""


class EngineModel:
    """The model that the engine has loaded; a `ChatModel`.

    Fields of a request that mean nothing to it are left aside: they were meant for somebody else,
    and an answer is better than none.

    Args:
        engine: What answers.
        limits: What requests may ask for.
        watch: Counts tokens as they come.
    """

    name: Final = "engine"

    def __init__(self, engine: AsyncLLM, limits: Limits, watch: Watch) -> None:
        self._engine = engine
        self._prompts = Prompts(engine, limits)
        self._watch = watch

    async def complete(self, request: ChatRequest) -> Completion:
        """Answer at once; see `ChatModel`."""
        collector = Collector()
        async with aclosing(self.stream(request)) as chunks:
            async for chunk in chunks:
                collector.add(chunk)
        completion = collector.completion()
        if completion is None:
            raise InternalError(reason="the engine ended an answer without saying why")
        return completion

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece; see `ChatModel`."""
        begun, document = _begun(plain(request))
        body = _understood(document)
        choices = await self._prompts.chat(body, begun)
        speakers = [self._speaker(index, body) for index in range(len(choices))]
        last: dict[int, Output] = {}
        async with aclosing(generate(self._engine, choices, None, self._watch)) as pieces:
            for index in range(len(choices)):
                yield Chunk(index, {"role": "assistant", "content": ""})
            async for index, piece in pieces:
                last[index] = piece
                for chunk in speakers[index].chunks(piece):
                    yield chunk
        yield Chunk(usage=_usage(choices, [*last.values()]))

    def _speaker(self, index: int, body: schema.ChatRequest) -> Speaker:
        tokenizer = self._engine.tokenizer
        names = {tool.function.name for tool in body.callable_tools}
        reader = ToolCallReader(tokenizer.tool_format, names) if names else None
        return Speaker(index, tokenizer.token_bytes, reader)


def _begun(document: Document) -> tuple[str, Document]:
    """Take the beginning of the answer off a conversation, if it ends with one."""
    *before, last = document["messages"]
    text = last.get("content")
    if last["role"] != "assistant" or not isinstance(text, str) or not before:
        return "", document
    return text, {**document, "messages": before}


def _understood(document: Document) -> schema.ChatRequest:
    """Read what the engine understands of a request.

    Raises:
        InvalidRequest: A field of those has no value that it may have.
    """
    known = _known(document, schema.ChatRequest.model_fields)
    known["messages"] = [
        _known(message, schema.Message.model_fields) for message in known["messages"]
    ]
    known.pop("stream_options", None)
    try:
        return schema.ChatRequest.model_validate(known)
    except ValidationError as error:
        [first, *_] = error.errors(include_input=False, include_url=False)
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidRequest(reason=f"{field}: {first['msg']}", param=field or None) from None


def _known(document: Document, fields: Any) -> Document:
    return {name: value for name, value in document.items() if name in fields}


def _usage(choices: Sequence[Choice], outputs: Sequence[Output]) -> Usage:
    """Count tokens; a prompt that several choices share is counted once."""
    prompts = {id(choice.prompt): len(choice.prompt) for choice in choices}
    return Usage(sum(prompts.values()), sum(output.completion_tokens for output in outputs))
