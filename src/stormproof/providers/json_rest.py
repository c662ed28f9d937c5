"""The rest of a JSON document, held back until it is known to be one with its beginning."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

from stormproof.errors import ParsingError
from stormproof.providers.chat import Chunk


async def whole_json(
    chunks: AsyncGenerator[Chunk, None], begun: str
) -> AsyncGenerator[Chunk, None]:
    """Yield the rest of an answer that has to be JSON.

    Nobody can read half a document, so nobody misses the rest until it is whole; and of one that
    does not fit, somebody else may still be asked for another.

    Args:
        chunks: The rest.
        begun: What the client has.

    Raises:
        ParsingError: Both together are not JSON, although the answer was not cut short.
    """
    async with aclosing(chunks):
        rest = [chunk async for chunk in chunks]
    reasons = {chunk.finish_reason for chunk in rest}
    if "stop" in reasons:
        try:
            json.loads("".join([begun, *(chunk.text for chunk in rest)]))
        except (ValueError, RecursionError) as error:
            raise ParsingError(reason="the answer and its rest are not one JSON text") from error
    for chunk in rest:
        yield chunk
