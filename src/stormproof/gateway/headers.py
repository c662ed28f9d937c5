"""What a request says before its body."""

from typing import Final

from starlette.types import Scope

from stormproof.recovery import Deadline, Pipeline
from stormproof.reflex.caller import printable

_USER: Final = b"x-stormproof-user"
_UNBOUND: Final = Pipeline()


def header(scope: Scope, name: bytes) -> str | None:
    """Return the first header of a name in lower case; None if there is none."""
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return None


def user_of(scope: Scope) -> str | None:
    """Return on whose behalf a client says that it asks; None if it does not."""
    said = header(scope, _USER)
    return printable(said.encode("latin-1").decode("utf-8", "replace")) or None if said else None


def keeping_deadline(scope: Scope) -> Pipeline:
    """Return what holds an answer to the deadline that the client sent along."""
    deadline = Deadline.from_header(header(scope, Deadline.HEADER.encode()))
    return Pipeline(deadline, name="the answer") if deadline else _UNBOUND
