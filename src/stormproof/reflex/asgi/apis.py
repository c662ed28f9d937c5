"""The APIs that are guarded."""

from collections.abc import Mapping
from typing import Final

from stormproof.reflex.asgi.api import Api
from stormproof.reflex.asgi.messages import MESSAGES
from stormproof.reflex.asgi.openai import CHAT, EMBEDDINGS, TEXTS
from stormproof.reflex.asgi.responses import RESPONSES

APIS: Final[Mapping[str, Api]] = {
    "/chat/completions": CHAT,
    "/completions": TEXTS,
    "/embeddings": EMBEDDINGS,
    "/messages": MESSAGES,
    "/messages/count_tokens": MESSAGES,
    "/responses": RESPONSES,
    "/responses/compact": RESPONSES,
    "/responses/input_tokens": RESPONSES,
}
"""By the ends of their paths."""


def api_at(path: str, apis: Mapping[str, Api]) -> Api | None:
    """Return which API is asked at a path; None for others."""
    path = path.rstrip("/\n")  # Starlette's routes take the end of a line for none (``$``)
    return next((api for end, api in apis.items() if path.endswith(end)), None)
