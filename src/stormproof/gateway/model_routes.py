"""Which models are served."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Security

from stormproof.errors import ModelNotFound
from stormproof.gateway.keys import Opened
from stormproof.gateway.openapi import BEARER, ERRORS
from stormproof.reflex import Caller
from stormproof.reflex.keys import KeyScope

Card = dict[str, Any]


def model_card(name: str, *, max_tokens: int | None = None) -> Card:
    """Describe a model as OpenAI's API does, and say how much it reads, if that is known."""
    card = {"id": name, "object": "model", "created": 0, "owned_by": "stormproof"}
    return card if max_tokens is None else {**card, "max_model_len": max_tokens}


class ModelRoutes:
    """The routes that tell what is served, each caller what he may ask.

    Args:
        cards: Return one for each model that is served now, by what it can be asked for.
        opened: Tells which of them a caller may ask.
    """

    def __init__(
        self, cards: Mapping[KeyScope, Callable[[], Sequence[Card]]], opened: Opened
    ) -> None:
        self._lists = cards
        self._opened = opened

    def router(self) -> APIRouter:
        """Return the routes, ready to be included in an application."""
        router = APIRouter(
            prefix="/v1", tags=["OpenAI's API"], responses=ERRORS, dependencies=[Security(BEARER)]
        )
        router.add_api_route("/models", self.models, methods=["GET"])
        router.add_api_route("/models/{model:path}", self.model, methods=["GET"])
        return router

    async def models(self, request: Request) -> dict[str, Any]:
        """List the models that are served."""
        return {"object": "list", "data": [*self._cards(request).values()]}

    async def model(self, request: Request, model: str) -> Card:
        """Describe one model."""
        cards = self._cards(request)
        check_model(model, *cards)
        return cards[model]

    def _cards(self, request: Request) -> dict[str, Card]:
        """Return the cards that a caller is to see."""
        seen: dict[str, Card] = {}
        for scope, cards in self._lists.items():
            served = {card["id"]: card for card in cards()}
            opened = self._opened(request.state.caller, scope, served)
            seen |= {name: served[name] for name in opened}
        return seen


def check_model(name: str, *served: str) -> None:
    """Refuse a model that is none of those ``served``.

    Raises:
        ModelNotFound: It is not.
    """
    if name not in served:
        raise ModelNotFound(model=name[:200], available=served)


def check_served(
    name: str, served: Collection[str], opened: Opened, caller: Caller, scope: KeyScope
) -> None:
    """Refuse a model that is none of those ``served``; name those that a caller may ask.

    Raises:
        ModelNotFound: It is not.
    """
    if name not in served:
        check_model(name, *opened(caller, scope, served))
