"""What a request says before its body."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, ParamSpec, TypeAlias, TypeVar

from starlette.types import Scope

from stormproof.recovery import Deadline, Pipeline
from stormproof.reflex.caller import printable

P = ParamSpec("P")
T = TypeVar("T")

_USER: Final = b"x-stormproof-user"
_DEADLINE: Final = Deadline.HEADER.encode()
_READ: Final = "stormproof.headers"
"""Where in a scope they are, once they were read."""

Headers: TypeAlias = Mapping[bytes, bytes]
"""The first header of each name, in lower case."""


def headers_of(scope: Scope) -> Headers:
    """Return what a request says; it is gone through once, for all who ask."""
    headers: Headers | None = scope.get(_READ)
    if headers is None:
        headers = scope[_READ] = dict(reversed(scope["headers"]))
    return headers


def header(headers: Headers, name: bytes) -> str | None:
    """Return the text of a header; None if there is none."""
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


def user_of(headers: Headers) -> str | None:
    """Return on whose behalf a client says that it asks; None if it does not."""
    said = headers.get(_USER)
    return printable(said.decode("utf-8", "replace")) or None if said else None


def in_time(
    headers: Headers, answer: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
) -> Awaitable[T]:
    """Return what ``answer`` does, held to the deadline that the client sent along."""
    if _DEADLINE in headers:
        deadline = Deadline.from_header(header(headers, _DEADLINE))
        if deadline:
            return Pipeline(deadline, name="the answer").acall(answer, *args, **kwargs)
    return answer(*args, **kwargs)
