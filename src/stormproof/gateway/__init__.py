"""How the world comes in: an OpenAI-compatible HTTP server."""

from stormproof.gateway.app import create_app
from stormproof.gateway.keys import Keyring, load_keys
from stormproof.gateway.lifecycle import Lifecycle
from stormproof.gateway.reloading import Reloader
from stormproof.gateway.served_models import ServedModels
from stormproof.gateway.server import listen, run
from stormproof.gateway.settings import Settings, load_settings

__all__ = [
    "Keyring",
    "Lifecycle",
    "Reloader",
    "ServedModels",
    "Settings",
    "create_app",
    "listen",
    "load_keys",
    "load_settings",
    "run",
]
