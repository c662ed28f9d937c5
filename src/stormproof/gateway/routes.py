"""The OpenAI-compatible routes that write text."""

from collections.abc import Callable, Sequence
from functools import partial

from fastapi import APIRouter, Request, Response, Security

from stormproof.engine import AsyncLLM, ToolCallReader
from stormproof.gateway.answers import AnswerFormat, ChatFormat, TextFormat
from stormproof.gateway.delivery import Job, deliver_stream, deliver_whole
from stormproof.gateway.model_routes import check_model
from stormproof.gateway.openapi import BEARER, ERRORS, EVENT_STREAM
from stormproof.gateway.settings import Settings
from stormproof.gateway.token_times import TokenTimes
from stormproof.gateway.tool_answers import ToolChatFormat
from stormproof.providers.local.generation import Choice, generate
from stormproof.providers.local.prompts import Prompts
from stormproof.providers.local.schema import ChatRequest, CompletionRequest
from stormproof.recovery import Deadline, Pipeline


class Routes:
    """The routes that one engine answers.

    Args:
        engine: What answers.
        settings: Limits and defaults.
        model_name: The name under which clients know the model.
        times: Told when tokens come.
    """

    def __init__(
        self, engine: AsyncLLM, settings: Settings, *, model_name: str, times: TokenTimes
    ) -> None:
        self._engine = engine
        self._times = times
        self._model_name = model_name
        self._prompts = Prompts(engine, settings)
        self._generate = Pipeline(
            Deadline(settings.request_timeout),
            name="generate",
            keeps=0,  # clients have their pieces
        )

    def router(self) -> APIRouter:
        """Return the routes, ready to be included in an application."""
        router = APIRouter(
            prefix="/v1", tags=["OpenAI's API"], responses=ERRORS, dependencies=[Security(BEARER)]
        )
        for path, endpoint in (
            ("/chat/completions", self.chat),
            ("/completions", self.complete),
        ):
            router.add_api_route(path, endpoint, methods=["POST"], responses=EVENT_STREAM)
        return router

    async def chat(self, request: Request, body: ChatRequest) -> Response:
        """Answer a conversation."""
        check_model(body.model, self._model_name)
        choices = await self._prompts.chat(body)
        return await self._answer(request, body, choices, self._chat_format(body))

    async def complete(self, request: Request, body: CompletionRequest) -> Response:
        """Continue one or several texts."""
        check_model(body.model, self._model_name)
        choices = await self._prompts.complete(body)
        return await self._answer(request, body, choices, TextFormat)

    def _chat_format(self, body: ChatRequest) -> Callable[..., ChatFormat]:
        names = {tool.function.name for tool in body.callable_tools}
        if not names:
            return ChatFormat
        reader = partial(ToolCallReader, self._engine.tokenizer.tool_format, names)
        return partial(ToolChatFormat, reader=reader)

    async def _answer(
        self,
        request: Request,
        body: ChatRequest | CompletionRequest,
        choices: Sequence[Choice],
        answers: Callable[..., AnswerFormat],
    ) -> Response:
        token_bytes = self._engine.tokenizer.token_bytes
        job = Job(
            choices,
            answers(self._model_name, token_bytes, with_usage=body.include_usage),
            include_usage=body.include_usage,
        )
        pieces = self._generate.stream(
            generate, self._engine, choices, request.state.request_id, self._times.watch
        )
        return await (deliver_stream if body.stream else deliver_whole)(request, job, pieces)
