"""What a log line says of the request during which it was written."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final

from structlog.typing import EventDict, WrappedLogger

_known: Final[ContextVar[Mapping[str, str | int]]] = ContextVar(
    "stormproof.log", default=MappingProxyType({})
)

known: Final = _known.get
"""Return what is known of the request, by the name of the field that says it."""


def log_context(
    *, request_id: str | None = None, operation: str | None = None, worker: int | None = None
) -> AbstractContextManager[None]:
    """Write these on every line that is logged inside, here and in tasks that are begun here.

    Args:
        request_id: The request that is served.
        operation: What is being done, by a name from the code and not from a client.
        worker: The number of the process, where several serve.
    """
    given: dict[str, str | int] = {}
    if request_id is not None:
        given["request_id"] = request_id
    if operation is not None:
        given["operation"] = operation
    if worker is not None:
        given["worker"] = worker
    return _Inside(given)


class _Inside(AbstractContextManager[None]):
    """A class, since each request enters one."""

    def __init__(self, given: Mapping[str, str | int]) -> None:
        self._given = given

    def __enter__(self) -> None:
        self._outside = _known.get()
        _known.set({**self._outside, **self._given})

    def __exit__(self, *_: object) -> None:
        _known.set(self._outside)  # not by a token: a framework may end this in another context


def add_known(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    """Return a record's fields with what is known: a processor of structlog."""
    return {**event_dict, **_known.get()}
