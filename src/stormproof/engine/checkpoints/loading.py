"""Where everything that goes wrong while a model loads becomes one error."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from stormproof.errors import ModelLoadError, OutOfMemory, StormproofError

if TYPE_CHECKING:
    from collections.abc import Iterator


Progress: TypeAlias = Callable[[float], None]
"""Told the fraction of the work that is done, from 0 to 1."""


class Unusable(Exception):
    """A checkpoint cannot be served; the message says why, in words fit for its user."""


@contextmanager
def loading(model: str) -> Iterator[None]:
    """Turns any failure inside the block into a `ModelLoadError` about ``model``.

    Args:
        model: Name of the model, without the directory it lies in.

    Raises:
        ModelLoadError: The model is missing, damaged or of an unsupported kind.
        OutOfMemory: The model does not fit into memory.
    """
    try:
        yield
    except StormproofError:
        raise
    except Unusable as error:
        raise ModelLoadError(model=model, reason=str(error)) from error
    except MemoryError as error:
        raise OutOfMemory from error
    except OSError as error:
        raise ModelLoadError(model=model, reason=_why(error)) from error
    except BaseException as error:
        if not _is_parser_failure(error):
            raise
        # The parsers below were not written for hostile bytes and fail in every way there is.
        # Their own words may quote the file or its path: they stay in the cause.
        reason = "the file is damaged, or it is not a model"
        raise ModelLoadError(model=model, reason=reason) from error


def _why(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "a file of it does not exist"
        case PermissionError():
            return "its files may not be read"
        case _:
            return f"its files cannot be read: {error.strerror or type(error).__name__}"


def _is_parser_failure(error: BaseException) -> bool:
    # A panic inside a Rust extension arrives as pyo3's PanicException, which has no importable
    # name and is, against the custom, no Exception.
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"
