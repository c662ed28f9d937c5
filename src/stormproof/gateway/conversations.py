"""Which conversations are answered where, and by whom."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import ASGIApp

from stormproof.gateway.chat_endpoint import ChatEndpoint
from stormproof.gateway.dialects.chat import CHAT
from stormproof.gateway.dialects.completions import COMPLETIONS
from stormproof.gateway.dialects.described import described
from stormproof.gateway.dialects.dialect import Dialect
from stormproof.gateway.dialects.messages.reply import MESSAGES
from stormproof.gateway.dialects.responses.reply import RESPONSES
from stormproof.gateway.keys import Opened
from stormproof.gateway.lifecycle import Lifecycle
from stormproof.gateway.native import FindEntrance, Native
from stormproof.providers import Continuation, EngineModel, Ladder, Rung
from stormproof.providers.local.model import ENGINE_CAPABILITIES

_NATIVE: Final = (CHAT, COMPLETIONS)
"""Dialects in which the engine has routes of its own, where there is one."""

_TRANSLATED: Final = (MESSAGES, RESPONSES)
"""Dialects in which it answers as one of those on a ladder."""


def engine_ladder(engine: EngineModel, seconds: float) -> Ladder:
    """Return a ladder on which nobody but the engine stands.

    Args:
        engine: The engine.
        seconds: How long an answer may take.
    """
    rung = Rung(
        engine,
        texts=engine.texts,
        deadline=seconds,
        idle=seconds,
        capabilities=ENGINE_CAPABILITIES,
        continues=Continuation.PREFILL,
    )
    return Ladder(engine.name, [rung], deadline=seconds)


def answer_conversations(
    app: FastAPI,
    ladders: Mapping[str, Ladder],
    alone: Mapping[str, Ladder],
    lifecycle: Lifecycle,
    entrance: FindEntrance,
    *,
    opened: Opened,
) -> Sequence[ChatEndpoint]:
    """Have an application answer conversations, and tell of it.

    Args:
        app: The application, with the routes of the engine, where there is one.
        ladders: Who answers, by the name of the model; the content may change.
        alone: The ladder of the engine, by the name of its model, where there is one.
        lifecycle: Told of calls under way.
        entrance: Returns what requests pass now, if that is anything.
        opened: Tells which models a caller may ask.

    Returns:
        What answers; most requests can go there without the framework.
    """

    def answering(dialect: Dialect, engine: ASGIApp) -> ChatEndpoint:
        others = dict.fromkeys(alone, engine)
        return ChatEndpoint(
            dialect, ladders, lifecycle, entrance=entrance, opened=opened, others=others
        )

    engine = {
        dialect: ChatEndpoint(dialect, alone, lifecycle, entrance=entrance, opened=opened)
        for dialect in (*_NATIVE, *_TRANSLATED)
    }
    native = [answering(one, Native(app, engine[one], entrance)) for one in _NATIVE]
    translated = [answering(one, engine[one]) for one in _TRANSLATED]
    for endpoint in translated if alone else (*native, *translated):
        app.router.routes.append(Route(endpoint.path, endpoint, methods=["POST"]))
    app.openapi = partial(described, app.openapi)  # type: ignore[method-assign]
    return [*native, *translated]
