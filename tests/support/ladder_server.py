"""A gateway in this process, on a real socket."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType

import uvicorn
from prometheus_client import CollectorRegistry

from stormproof.engine import AsyncLLM
from stormproof.gateway import Keyring, Lifecycle, create_app, load_settings
from stormproof.gateway.entrance import Entrance, entrance_to
from stormproof.providers import (
    EmbeddingLadder,
    EmbeddingModel,
    HttpClient,
    Kept,
    Ladder,
    LadderBuilder,
    read_models,
)
from stormproof.reflex.settings import read_reflex, remembering
from stormproof.signals import Metrics

KEY = "k"


@asynccontextmanager
async def serving_ladders(
    ladders: Mapping[str, Ladder],
    engine: AsyncLLM | None = None,
    *,
    embeddings: Mapping[str, EmbeddingLadder] = MappingProxyType({}),
    keys: Sequence[str] = (KEY,),
    entrance: Entrance | None = None,
) -> AsyncIterator[str]:
    """Serve models by these names, and the engine's as ``local``; yield where."""
    metrics = Metrics(CollectorRegistry())
    app = create_app(
        engine,
        load_settings({}),
        model_name="local",
        keyring=Keyring(keys),
        lifecycle=Lifecycle(engine, drain_timeout=1),
        metrics=metrics,
        make_ladders=lambda _: ladders,
        embedding_ladders=embeddings,
        entrance=lambda: entrance,
    )
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it has nothing to wait for
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        metrics.close()


@asynccontextmanager
async def serving_file(
    file: Path, *, embedders: Mapping[str, EmbeddingModel] = MappingProxyType({})
) -> AsyncIterator[str]:
    """Serve what a file of settings says, without keys; yield the address up to ``/v1``."""
    client = HttpClient()
    models = read_models(file)
    builder = LadderBuilder(models, client, {}, embedders=embedders)
    vectors = builder.embedding_ladders()
    tables = read_reflex(file)
    entrance = (
        entrance_to(remembering(tables, models), Kept(), {}, models=models) if tables else None
    )
    async with serving_ladders(
        builder.ladders(), embeddings=vectors, keys=(), entrance=entrance
    ) as url:
        yield f"{url}/v1"
    client.close()
