"""What is wrong with a file of settings: everything is named, each with its line."""

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from pydantic import ValidationError

from stormproof.errors import ConfigurationError
from stormproof.providers.settings.locating import line_of

_MOST_FAULTS: Final = 20
_LOOK_LIKE_KEYS: Final = frozenset({"key", "api_key", "apikey", "token", "secret"})

Place: TypeAlias = Sequence[str | int]


class Fault(NamedTuple):
    """Something that is wrong.

    Attributes:
        place: Keys and indices.
        message: What it is; quotes no value that could be a secret.
    """

    place: Place
    message: str


Find: TypeAlias = Callable[[tuple[str | int, ...]], tuple[Place, Iterable[str]]]
"""Returns where in the file something is wrong, and which keys there are in that table, by where
pydantic says that it is."""


def refusal(file: Path, text: str, faults: Sequence[Fault]) -> ConfigurationError:
    """Return the error that names them.

    Args:
        file: What it is called.
        text: What it says.
        faults: What is wrong with it.
    """
    lines = [_told(file, text, fault) for fault in faults[:_MOST_FAULTS]]
    if len(faults) > _MOST_FAULTS:
        lines.append(f"and {len(faults) - _MOST_FAULTS} more")
    return ConfigurationError(reason="\n".join(lines))


def misfits(error: ValidationError, find: Find) -> list[Fault]:
    """Return what pydantic found."""
    listed = error.errors(include_input=False, include_url=False)
    return [_misfit(problem, find) for problem in listed]


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a question whether another name was meant, if one is near."""
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _told(file: Path, text: str, fault: Fault) -> str:
    line = line_of(text, fault.place)
    # The key comes last: "api_key: …" would be taken for a secret, and be hidden.
    return f"{file.name}{f':{line}' if line else ''}: {fault.message} ({_path(fault.place)})"


def _path(place: Place) -> str:
    steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in place]
    return "".join(steps).removeprefix(".")


def _misfit(problem: Any, find: Find) -> Fault:
    place, keys = find(problem["loc"])
    if problem["type"] == "extra_forbidden":
        return Fault(place, _unknown(str(place[-1]), keys))
    return Fault(place, problem["msg"].removeprefix("Value error, "))


def _unknown(key: str, keys: Iterable[str]) -> str:
    if key.lower() in _LOOK_LIKE_KEYS:
        return "keys are not written here: use key_env or key_file"
    return f"there is no such key{nearest(key, keys)}"
