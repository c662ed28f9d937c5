"""How the world comes in: an OpenAI-compatible HTTP server."""

from stormproof.gateway.app import create_app
from stormproof.gateway.lifecycle import Lifecycle
from stormproof.gateway.server import listen, run
from stormproof.gateway.settings import Settings, load_settings

__all__ = ["Lifecycle", "Settings", "create_app", "listen", "load_settings", "run"]
