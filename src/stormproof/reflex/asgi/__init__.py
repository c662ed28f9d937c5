"""The reflex in front of any application that speaks OpenAI's APIs, or Anthropic's."""

from stormproof.reflex.asgi.apis import APIS
from stormproof.reflex.asgi.middleware import ReflexMiddleware

__all__ = ["APIS", "ReflexMiddleware"]
