"""Which models are served."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter, Security

from stormproof.errors import ModelNotFound
from stormproof.gateway.openapi import BEARER, ERRORS

Card = dict[str, Any]


def model_card(name: str, *, max_tokens: int | None = None) -> Card:
    """Describe a model as OpenAI's API does, and say how much it reads, if that is known."""
    card = {"id": name, "object": "model", "created": 0, "owned_by": "stormproof"}
    return card if max_tokens is None else {**card, "max_model_len": max_tokens}


class ModelRoutes:
    """The routes that tell what is served.

    Args:
        cards: Returns one for each model that is served now.
    """

    def __init__(self, cards: Callable[[], Sequence[Card]]) -> None:
        self._list = cards

    def router(self) -> APIRouter:
        """Return the routes, ready to be included in an application."""
        router = APIRouter(
            prefix="/v1", tags=["OpenAI's API"], responses=ERRORS, dependencies=[Security(BEARER)]
        )
        router.add_api_route("/models", self.models, methods=["GET"])
        router.add_api_route("/models/{model:path}", self.model, methods=["GET"])
        return router

    async def models(self) -> dict[str, Any]:
        """List the models that are served."""
        return {"object": "list", "data": [*self._cards().values()]}

    async def model(self, model: str) -> Card:
        """Describe one model."""
        cards = self._cards()
        check_model(model, *cards)
        return cards[model]

    def _cards(self) -> dict[str, Card]:
        return {card["id"]: card for card in self._list()}


def check_model(name: str, *served: str) -> None:
    """Refuse a model that is none of those ``served``.

    Raises:
        ModelNotFound: It is not.
    """
    if name not in served:
        raise ModelNotFound(model=name[:200], available=served)
