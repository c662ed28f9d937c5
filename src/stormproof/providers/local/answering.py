"""What the engine's answers have in common, to conversations and to texts."""

from collections.abc import AsyncGenerator, Container, Sequence
from contextlib import aclosing
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from stormproof.engine import Output
from stormproof.errors import InternalError, InvalidRequest
from stormproof.providers.chat import Chunk, Completion, Document, Usage
from stormproof.providers.collector import Collector
from stormproof.providers.local.generation import Choice

Body = TypeVar("Body", bound=BaseModel)


def fields_of(document: Document, fields: Container[str]) -> Document:
    """Return the fields that mean something to the engine."""
    return {name: value for name, value in document.items() if name in fields}


def validated(kind: type[Body], document: Document) -> Body:
    """Return what the engine understands of a request.

    Raises:
        InvalidRequest: A field has no value that it may have.
    """
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        [first, *_] = error.errors(include_input=False, include_url=False)
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidRequest(reason=f"{field}: {first['msg']}", param=field or None) from None


async def whole(chunks: AsyncGenerator[Chunk, None]) -> Completion:
    """Return a stream's answer as one."""
    collector = Collector()
    async with aclosing(chunks):
        async for chunk in chunks:
            collector.add(chunk)
    completion = collector.completion()
    if completion is None:
        raise InternalError(reason="the engine ended an answer without saying why")
    return completion


def usage(choices: Sequence[Choice], outputs: Sequence[Output]) -> Usage:
    """Count tokens; a prompt that several choices share is counted once."""
    prompts = {id(choice.prompt): len(choice.prompt) for choice in choices}
    return Usage(sum(prompts.values()), sum(output.completion_tokens for output in outputs))
