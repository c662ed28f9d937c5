"""The engine of this machine, asked as any other provider is."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from stormproof.engine import AsyncLLM, Output, ToolCallReader
from stormproof.providers.chat import (
    Capability,
    ChatRequest,
    Chunk,
    Completion,
    Document,
)
from stormproof.providers.local import schema
from stormproof.providers.local.answering import fields_of, usage, validated, whole
from stormproof.providers.local.generation import Watch, generate
from stormproof.providers.local.prompts import Limits, Prompts
from stormproof.providers.local.speaking import Speaker
from stormproof.providers.local.texts import EngineTexts
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

    Attributes:
        texts: The same model, continuing texts.
    """

    name: Final = "engine"

    def __init__(self, engine: AsyncLLM, limits: Limits, watch: Watch) -> None:
        self._engine = engine
        self._prompts = Prompts(engine, limits)
        self._watch = watch
        self.texts: Final = EngineTexts(engine, self._prompts, watch)

    async def complete(self, request: ChatRequest) -> Completion:
        """Answer at once; see `ChatModel`."""
        return await whole(self.stream(request))

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
        yield Chunk(usage=usage(choices, [*last.values()]))

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
    known = fields_of(document, schema.ChatRequest.model_fields)
    known["messages"] = [
        fields_of(message, schema.Message.model_fields) for message in known["messages"]
    ]
    known.pop("stream_options", None)
    return validated(schema.ChatRequest, known)
