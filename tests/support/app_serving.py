"""A gateway without an engine, in the process of the test, on a real socket."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from prometheus_client import CollectorRegistry

from stormproof.gateway import Keyring, Lifecycle, create_app, load_settings
from stormproof.providers import EmbeddingModel, HttpClient, LadderBuilder, read_models
from stormproof.signals import Metrics


@asynccontextmanager
async def serving_file(
    file: Path, *, embedders: Mapping[str, EmbeddingModel] | None = None
) -> AsyncIterator[str]:
    """Serve what a file of settings says; yields the address up to ``/v1``."""
    client = HttpClient()
    builder = LadderBuilder(read_models(file), client, {}, embedders=embedders or {})
    app = create_app(
        None,
        load_settings({}),
        model_name="",
        keyring=Keyring([]),
        lifecycle=Lifecycle(None, drain_timeout=1),
        metrics=Metrics(CollectorRegistry()),
        make_ladders=lambda _: builder.ladders(),
        embedding_ladders=builder.embedding_ladders(),
    )
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it has nothing to wait for
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/v1"
    server.should_exit = True
    await task
    client.close()
