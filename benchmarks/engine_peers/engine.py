"""What every engine is to the measurement: something that answers requests, at a price."""

from collections.abc import Sequence
from typing import Protocol

from engine_peers.process import EngineProcess
from engine_peers.timing import Timing
from engine_peers.workload import Request


class Engine(Protocol):
    """One row of the table.

    Attributes:
        name: Who it is.
        over_http: Whether its figures include a server, a client and the loopback between them.
        process: Where it runs, once it is started.
    """

    name: str
    over_http: bool
    process: EngineProcess

    def start(self) -> float:
        """Start it; return the seconds until it had answered with a first token."""

    def answer(self, requests: Sequence[Request]) -> list[Timing]:
        """Have it answer requests that are all sent at once."""
