"""redis-py's exceptions, raised by a real client against a socket that speaks the protocol."""

import socket
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from stormproof.errors import (
    CacheError,
    Conflict,
    DeadlineExceeded,
    InternalError,
    NetworkError,
    ProtocolError,
    ProviderUnauthorized,
    ServiceUnavailable,
    StormproofError,
)

Caught = Callable[[Callable[[], object]], StormproofError]
NO_RETRY = Retry(NoBackoff(), 0)
Answering = Callable[[bytes], "redis.Redis"]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """A client of a server that gives one answer to every command."""
    opened: list[Any] = []

    def start(answer: bytes) -> "redis.Redis":
        listener = socket.create_server(("127.0.0.1", 0))
        Thread(target=serve, args=(listener, answer), daemon=True).start()
        client = redis.Redis(
            port=listener.getsockname()[1],
            socket_timeout=5,
            retry=NO_RETRY,
            protocol=2,
            driver_info=None,
        )
        opened.extend([client, listener])
        return client

    yield start
    for thing in opened:
        thing.close()


def serve(listener: socket.socket, answer: bytes) -> None:
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        with peer:
            if peer.recv(65536):
                peer.sendall(answer)
            if answer:
                peer.recv(65536)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"-WRONGTYPE the key holds something else\r\n", CacheError),
        (b"-OOM command not allowed when used memory > 'maxmemory'\r\n", CacheError),
        (b"-LOADING Redis is loading the dataset in memory\r\n", ServiceUnavailable),
        (b"-READONLY You can't write against a read only replica.\r\n", ServiceUnavailable),
        (b"-NOAUTH Authentication required.\r\n", ProviderUnauthorized),
        (b"-NOPERM this user has no permissions\r\n", ProviderUnauthorized),
        (b"?nonsense\r\n", ProtocolError),
        (b"", NetworkError),
    ],
    ids=lambda value: value[:10].decode() if isinstance(value, bytes) else value.__name__,
)
def test_what_redis_answers_is_one_error(
    answer: bytes, expected: type[StormproofError], answering: Answering, caught: Caught
) -> None:
    """A cache that fails is gone around, a server that is not ready is waited for."""
    client = answering(answer)
    error = caught(lambda: client.get("key"))
    assert isinstance(error, expected)


def test_the_network_fails_like_any_other(
    refused_port: int, silent_port: int, caught: Caught
) -> None:
    """Refused, and silent."""
    with redis.Redis(port=refused_port, retry=NO_RETRY) as client:
        refused = caught(lambda: client.get("key"))
    assert type(refused) is NetworkError
    assert refused.reason == "connection refused"
    with redis.Redis(port=silent_port, socket_timeout=0.001, retry=NO_RETRY) as client:
        assert type(caught(lambda: client.get("key"))) is DeadlineExceeded


def test_a_lock_that_is_not_ours_is_a_conflict_and_misuse_a_bug(
    answering: Answering, caught: Caught
) -> None:
    """Neither is the cache's failure."""
    client = answering(b"+OK\r\n")
    assert type(caught(lambda: client.lock("name").release())) is Conflict
    assert type(caught(lambda: client.set("key", object()))) is InternalError  # type: ignore[arg-type]
