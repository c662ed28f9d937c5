"""What tests of every floor share."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
from hypothesis import HealthCheck, settings

from stormproof.weights import ModelLibrary
from support import postgres_server
from support.postgres_server import PostgresServer
from support.redis_server import PROGRAM, RedisServer
from support.serving import Server, serving

# However busy the machine is, time fails no test.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

# A shell that starts the tests in the background has them ignore Ctrl-C. All of their processes
# would inherit that, also those that are to be ended so.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def model_path() -> Path:
    """The embedded model: a real one, 135 million parameters, in a GGUF file."""
    given = os.environ.get("STORMPROOF_TEST_MODEL")
    if given:
        return Path(given)
    return ModelLibrary().pull("smollm2")


@pytest.fixture(scope="session")
def embedding_model_path() -> Path:
    """The embedding model of the catalogue: a BERT of 22 million parameters, in a folder."""
    return ModelLibrary().pull("minilm")


@pytest.fixture(scope="session")
def server(model_path: Path, embedding_model_path: Path) -> Iterator[Server]:
    """A server that all tests of a worker share."""
    flags = ("--max-body-bytes", "200000", "--max-prompt-chars", "100000")
    with serving(model_path, *flags, "--embedding-model", str(embedding_model_path)) as it:
        yield it


@pytest.fixture
def serve(model_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers with settings of their own."""
    with ExitStack() as stack:
        yield lambda *flags, **environ: stack.enter_context(serving(model_path, *flags, **environ))


@pytest.fixture
def client(server: Server) -> Iterator[httpx2.Client]:
    with server.client() as it:
        yield it


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """A server that all tests of a worker share; each has a prefix of its own."""
    if PROGRAM is None:
        pytest.skip("there is no redis-server on the PATH")
    server = RedisServer()
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server that all tests of a worker share; each has a database of its own."""
    if postgres_server.PROGRAM is None:
        pytest.skip("there is no PostgreSQL here")
    server = PostgresServer()
    server.start()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/stormproof.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()
