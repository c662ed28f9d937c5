"""The APIs that are guarded."""

from collections.abc import Mapping
from typing import Final

from stormproof.reflex.asgi.api import Api
from stormproof.reflex.asgi.messages import MessagesApi
from stormproof.reflex.asgi.openai import CHAT, EMBEDDINGS, TEXTS
from stormproof.reflex.asgi.responses import ResponsesApi

_MESSAGES: Final = MessagesApi()
_RESPONSES: Final = ResponsesApi()

APIS: Final[Mapping[str, Api]] = {
    "/chat/completions": CHAT,
    "/completions": TEXTS,
    "/embeddings": EMBEDDINGS,
    "/messages": _MESSAGES,
    "/messages/count_tokens": _MESSAGES,
    "/responses": _RESPONSES,
    "/responses/input_tokens": _RESPONSES,
}
"""By the ends of their paths."""


def api_at(path: str, apis: Mapping[str, Api]) -> Api | None:
    """Return which API is asked at a path; None for others."""
    path = path.rstrip("/\n")  # Starlette's routes take the end of a line for none (``$``)
    return next((api for end, api in apis.items() if path.endswith(end)), None)
