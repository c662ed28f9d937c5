"""The reflex in front of any application that speaks OpenAI's API."""

from stormproof.reflex.asgi.middleware import ReflexMiddleware

__all__ = ["ReflexMiddleware"]
