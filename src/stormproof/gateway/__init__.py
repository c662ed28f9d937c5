"""How the world comes in: an OpenAI-compatible HTTP server."""

from stormproof.gateway.app import create_app
from stormproof.gateway.keys import Keyring, load_keys
from stormproof.gateway.lifecycle import Lifecycle
from stormproof.gateway.reloading import Reloader
from stormproof.gateway.served_models import ServedModels
from stormproof.gateway.server import listen, reserve, run
from stormproof.gateway.settings import Settings, load_settings
from stormproof.gateway.workers.series import WorkerSeries
from stormproof.gateway.workers.supervisor import Workers

__all__ = [
    "Keyring",
    "Lifecycle",
    "Reloader",
    "ServedModels",
    "Settings",
    "WorkerSeries",
    "Workers",
    "create_app",
    "listen",
    "load_keys",
    "load_settings",
    "reserve",
    "run",
]
