"""The application: routes, health, metrics, and the edge around them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType

from fastapi import Depends, FastAPI, Request, Response
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.types import ASGIApp, Receive, Scope, Send

from stormproof.engine import AsyncEmbedder, AsyncLLM
from stormproof.gateway import wire_errors
from stormproof.gateway.addresses import Addresses
from stormproof.gateway.chat_endpoint import ChatEndpoint
from stormproof.gateway.conversations import answer_conversations, engine_ladder
from stormproof.gateway.edge import Edge
from stormproof.gateway.embedding_endpoint import EmbeddingEndpoint
from stormproof.gateway.embedding_routes import EmbeddingRoutes
from stormproof.gateway.embeddings import answer_embeddings, embedder_ladder
from stormproof.gateway.keys import Keyring
from stormproof.gateway.lifecycle import Lifecycle
from stormproof.gateway.metrics import ServerMetrics
from stormproof.gateway.model_metrics import ModelMetrics
from stormproof.gateway.model_routes import ModelRoutes, model_card
from stormproof.gateway.native import FindEntrance
from stormproof.gateway.openapi import DOCS_ASSETS, ERRORS
from stormproof.gateway.routes import Routes
from stormproof.gateway.settings import Settings
from stormproof.providers import ChatModel, EmbeddingLadder, EngineModel, Ladder
from stormproof.reflex.keys import KeyScope
from stormproof.signals import Metrics, log_context
from stormproof.version import __version__

_DESCRIPTION = """An OpenAI-compatible server.

Every error on every route has one shape: a JSON object `error` with a stable `code`, `retriable`,
and, where waiting helps, `retry_after`. Ask with `accept: application/problem+json` for RFC 9457.
"""


def _no_ladders(_engine: ChatModel | None) -> Mapping[str, Ladder]:
    return {}


def _open_to_all() -> None:
    """Return what requests pass: nothing."""


def create_app(
    engine: AsyncLLM | None,
    settings: Settings,
    *,
    model_name: str,
    keyring: Keyring,
    lifecycle: Lifecycle,
    metrics: Metrics,
    embedders: Mapping[str, AsyncEmbedder] = MappingProxyType({}),
    make_ladders: Callable[[ChatModel | None], Mapping[str, Ladder]] = _no_ladders,
    embedding_ladders: Mapping[str, EmbeddingLadder] = MappingProxyType({}),
    scrape: Callable[[], Awaitable[bytes]] | None = None,
    entrance: FindEntrance = _open_to_all,
) -> ASGIApp:
    """Build the server's application.

    Args:
        engine: What answers by itself, if there is one here.
        settings: Limits and defaults.
        model_name: The name under which clients know the model.
        keyring: Who may call.
        lifecycle: Whether it can answer now.
        metrics: Where errors are counted; its registry is what ``/metrics`` shows.
        embedders: Embedding models, by the names under which clients know them.
        make_ladders: Makes of the engine, and of whatever else, the models that several may answer
            for, by the names under which clients know them. What it returned may change its
            content while the server runs.
        embedding_ladders: The same for embedding models, which several may host.
        scrape: Returns what ``/metrics`` shows, in Prometheus's text format, where that is more
            than this process's.
        entrance: Returns what requests have to pass from now on, if that is anything.

    Returns:
        An ASGI application.
    """
    app = FastAPIOffline(
        title="Stormproof",
        version=__version__,
        description=_DESCRIPTION,
        redoc_url=None,
        static_url=DOCS_ASSETS,
        dependencies=[Depends(_name_operation)],
    )
    server_metrics = ServerMetrics(metrics.registry, engine.stats if engine else None)
    times = server_metrics.token_times
    local = EngineModel(engine, settings, times.watch) if engine else None
    ladders = make_ladders(local)
    metrics.registry.register(ModelMetrics(ladders, embedding_ladders))
    own = [model_card(model_name, max_tokens=engine.max_sequence_tokens)] if engine else []
    vectors = [model_card(name, max_tokens=model.max_tokens) for name, model in embedders.items()]
    cards = ModelRoutes(
        {
            KeyScope.CHAT: lambda: [*own, *map(model_card, ladders)],
            KeyScope.EMBEDDINGS: lambda: [*map(model_card, embedding_ladders), *vectors],
        },
        keyring.opened,
    )
    if engine:
        routes = Routes(engine, settings, model_name=model_name, times=times)
        app.include_router(routes.router())
    for each in (EmbeddingRoutes(embedders, settings), cards):
        app.include_router(each.router())
    _add_probes(app, lifecycle, scrape or _scrape_of(metrics.registry))
    wire_errors.install(app)
    alone = {model_name: engine_ladder(local, settings.request_timeout)} if local else {}
    conversations = answer_conversations(
        app, ladders, alone, lifecycle, entrance, opened=keyring.opened
    )
    own_embedders = {name: embedder_ladder(name, one, settings) for name, one in embedders.items()}
    embedding = answer_embeddings(
        app, embedding_ladders, own_embedders, lifecycle, entrance, opened=keyring.opened
    )
    return Edge(
        _HotPath(app, [*conversations, embedding], entrance),
        keyring=keyring,
        lifecycle=lifecycle,
        metrics=server_metrics.requests,
        signals=metrics,
        max_body_bytes=settings.max_body_bytes,
        addresses=Addresses(settings.trusted_proxies),
    )


class _HotPath:
    """Spares what most requests come for the way through the framework."""

    def __init__(
        self,
        app: ASGIApp,
        endpoints: Sequence[ChatEndpoint | EmbeddingEndpoint],
        entrance: FindEntrance,
    ) -> None:
        self._app = app
        self._endpoints = {endpoint.path: endpoint for endpoint in endpoints}
        self._entrance = entrance

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http" and scope["method"] == "POST":
            # The framework's routes take a path with the end of a line for the same (``$``).
            endpoint = self._endpoints.get(scope["path"].removesuffix("\n"))
            if endpoint and (endpoint.ladders or self._entrance()):
                return endpoint(scope, receive, send)
        return self._app(_as_json(scope), receive, send)


def _as_json(scope: Scope) -> Scope:
    """Have a request's body read as JSON, whatever its client calls that: curl says form."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return scope
    others = [pair for pair in scope["headers"] if pair[0] != b"content-type"]
    scope["headers"] = [*others, (b"content-type", b"application/json")]
    return scope


async def _name_operation(request: Request) -> AsyncIterator[None]:
    """Have every log line of a request tell its route."""
    with log_context(operation=f"{request.method} {request.scope['route'].path}"):
        yield


def _scrape_of(registry: CollectorRegistry) -> Callable[[], Awaitable[bytes]]:
    async def scrape() -> bytes:
        return generate_latest(registry)

    return scrape


def _add_probes(app: FastAPI, lifecycle: Lifecycle, scrape: Callable[[], Awaitable[bytes]]) -> None:
    @app.get("/health", responses={503: ERRORS[503]})
    async def health() -> dict[str, str]:
        """Say whether the server is alive, and runs with the settings of its file."""
        lifecycle.check_alive()
        return {"status": "alive", "settings": lifecycle.settings}

    @app.get("/ready", responses={503: ERRORS[503]})
    async def ready() -> dict[str, str]:
        """Say whether a request sent now would be served."""
        lifecycle.check_ready()
        return {"status": "ready"}

    @app.get("/metrics", response_class=Response)
    async def read_metrics() -> Response:
        """Report every series in Prometheus's text format."""
        return Response(await scrape(), media_type=CONTENT_TYPE_LATEST)
