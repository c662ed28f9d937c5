"""The engine of this machine, continuing texts as any other provider does."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from stormproof.engine import AsyncLLM, Output
from stormproof.providers.chat import Chunk, Completion
from stormproof.providers.local import schema
from stormproof.providers.local.answering import fields_of, usage, validated, whole
from stormproof.providers.local.generation import Watch, generate
from stormproof.providers.local.prompts import Prompts
from stormproof.providers.local.speaking import TextLogprobs
from stormproof.providers.texts import TextRequest


class EngineTexts:
    """The model that the engine has loaded; a `TextModel`.

    Args:
        engine: What answers.
        prompts: Reads requests.
        watch: Counts tokens as they come.
    """

    def __init__(self, engine: AsyncLLM, prompts: Prompts, watch: Watch) -> None:
        self._engine = engine
        self._prompts = prompts
        self._watch = watch

    async def complete(self, request: TextRequest) -> Completion:
        """Answer at once; see `TextModel`."""
        return await whole(self.stream(request))

    async def stream(self, request: TextRequest) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece; see `TextModel`."""
        known = fields_of(request.document, schema.CompletionRequest.model_fields)
        known.pop("stream_options", None)
        choices = await self._prompts.complete(validated(schema.CompletionRequest, known))
        logprobs = TextLogprobs(self._engine.tokenizer.token_bytes)
        last: dict[int, Output] = {}
        async with aclosing(generate(self._engine, choices, None, self._watch)) as pieces:
            async for index, piece in pieces:
                last[index] = piece
                said = {"content": piece.text} if piece.text or piece.logprobs else {}
                yield Chunk(index, said, piece.finish_reason, logprobs.of(index, piece))
        yield Chunk(usage=usage(choices, [*last.values()]))
