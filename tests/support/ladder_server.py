"""A gateway in this process, on a real socket."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import uvicorn
from prometheus_client import CollectorRegistry

from stormproof.engine import AsyncLLM
from stormproof.gateway import Keyring, Lifecycle, create_app, load_settings
from stormproof.providers import Ladder
from stormproof.signals import Metrics

KEY = "k"


@asynccontextmanager
async def serving_ladders(
    ladders: Mapping[str, Ladder], engine: AsyncLLM | None = None
) -> AsyncIterator[str]:
    """Serve models by these names, and the engine's as ``local``; yield where."""
    app = create_app(
        engine,
        load_settings({}),
        model_name="local",
        keyring=Keyring([KEY]),
        lifecycle=Lifecycle(engine, drain_timeout=1),
        metrics=Metrics(CollectorRegistry()),
        make_ladders=lambda _: ladders,
    )
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it has nothing to wait for
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await task
