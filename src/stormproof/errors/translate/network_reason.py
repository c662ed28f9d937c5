"""Why a connection failed, from whatever the client library wrapped around the socket's error."""

import errno
import os
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from stormproof.errors.external_errors import NetworkError, UntrustedPeer
from stormproof.errors.translate.reading import integer, printed, read

_DEEPEST: Final = 8

_ERRNO_IN_TEXT: Final = re.compile(r"\[Errno (\d{1,4})\]")

_BY_CLASS: Final = {
    "gaierror": "the name does not resolve",
    "SSLCertVerificationError": "the certificate is not trusted",
    "SSLError": "TLS could not be agreed",
}


def network_reason(exc: BaseException, otherwise: str) -> str:
    """Return a reason without names or addresses.

    Args:
        exc: A client library's exception; the causes behind it are searched.
        otherwise: The reason when nothing more precise is found.
    """
    reasons = (_reason(link) for link in _chain(exc))
    return next(filter(None, reasons), otherwise)


def unreachable(otherwise: str) -> Callable[[Any], NetworkError]:
    """Return a maker of the error for a connection that could not be made.

    Args:
        otherwise: The reason when nothing more precise is found behind the exception.
    """

    def make(exc: Any) -> NetworkError:
        reason = network_reason(exc, otherwise)
        untrusted = reason == _BY_CLASS["SSLCertVerificationError"]
        return UntrustedPeer() if untrusted else NetworkError(reason=reason)

    return make


def errno_of(exc: Any) -> int | None:
    """Return the errno of an ``OSError``, also of one that only mentions it in its text."""
    number = integer(read(exc, "errno"))
    if number is None and (found := _ERRNO_IN_TEXT.search(printed(exc))):
        number = int(found[1])  # asyncio: "Multiple exceptions: [Errno 111] …, [Errno 111] …"
    return number if number in errno.errorcode else None


def plain_reason(number: int) -> str:
    """Return the system's own words for an errno: ``connection refused``."""
    return os.strerror(number).lower()


def _reason(exc: BaseException) -> str | None:
    for base in type(exc).__mro__:
        if base.__qualname__ in _BY_CLASS:
            return _BY_CLASS[base.__qualname__]
    number = errno_of(exc) if issubclass(type(exc), OSError) else None
    return plain_reason(number) if number else None


def _chain(exc: BaseException) -> Iterator[BaseException]:
    link: Any = exc
    for _ in range(_DEEPEST):
        if not issubclass(type(link), BaseException):
            return
        yield link
        members = read(link, "exceptions")  # the attempts of one connect, in a group
        link = members[0] if members else read(link, "__cause__") or read(link, "__context__")
