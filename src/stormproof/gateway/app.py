"""The application: routes, health, metrics, and the edge around them."""

from fastapi import FastAPI, Response
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp

from stormproof.engine import AsyncLLM
from stormproof.gateway import wire_errors
from stormproof.gateway.edge import Edge
from stormproof.gateway.keys import Keyring, read_keys
from stormproof.gateway.lifecycle import Lifecycle
from stormproof.gateway.metrics import Metrics
from stormproof.gateway.openapi import DOCS_ASSETS, ERRORS
from stormproof.gateway.routes import Routes
from stormproof.gateway.settings import Settings
from stormproof.version import __version__

_DESCRIPTION = """An OpenAI-compatible server.

Every error on every route has one shape: a JSON object `error` with a stable `code`, `retriable`,
and, where waiting helps, `retry_after`. Ask with `accept: application/problem+json` for RFC 9457.
"""


def create_app(
    engine: AsyncLLM, settings: Settings, *, model_name: str, lifecycle: Lifecycle
) -> ASGIApp:
    """Build the server's application.

    Args:
        engine: What answers.
        settings: Limits, defaults and keys.
        model_name: The name under which clients know the model.
        lifecycle: Whether it can answer now.

    Returns:
        An ASGI application.

    Raises:
        ConfigurationError: The file of keys holds none.
        StorageError: The file of keys cannot be read.
    """
    metrics = Metrics(engine.stats)
    app = FastAPIOffline(
        title="Stormproof",
        version=__version__,
        description=_DESCRIPTION,
        redoc_url=None,
        static_url=DOCS_ASSETS,
    )
    app.include_router(Routes(engine, settings, model_name=model_name).router())
    _add_probes(app, lifecycle, metrics)
    wire_errors.install(app)
    return Edge(
        app,
        keyring=_keyring(settings),
        lifecycle=lifecycle,
        metrics=metrics,
        max_body_bytes=settings.max_body_bytes,
    )


def _add_probes(app: FastAPI, lifecycle: Lifecycle, metrics: Metrics) -> None:
    @app.get("/health", responses={503: ERRORS[503]})
    async def health() -> dict[str, str]:
        """Say whether the server is alive; if not, it should be restarted."""
        lifecycle.check_alive()
        return {"status": "alive"}

    @app.get("/ready", responses={503: ERRORS[503]})
    async def ready() -> dict[str, str]:
        """Say whether a request sent now would be served."""
        lifecycle.check_ready()
        return {"status": "ready"}

    @app.get("/metrics", response_class=Response)
    async def read_metrics() -> Response:
        """Report every series in Prometheus's text format."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _keyring(settings: Settings) -> Keyring:
    keys = [key.get_secret_value() for key in settings.api_key]
    if settings.api_key_file is not None:
        keys += read_keys(settings.api_key_file)
    return Keyring(keys)
