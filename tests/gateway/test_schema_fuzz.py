"""Hostile and odd requests may be refused; they may not break the server."""

from collections.abc import Callable

from support.fuzzing import SMALL, fuzz
from support.serving import Server


def test_no_request_breaks_the_server(serve: Callable[..., Server]) -> None:
    """Every answer is one the schema promises; none is a 5xx, none hangs."""
    server = serve(*SMALL)
    ended = fuzz(server, "--max-examples=25", "--seed=1")
    assert ended.returncode == 0, ended.stdout
    assert server.process.poll() is None
