"""Whose use is counted together."""

from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final, NamedTuple

LONGEST: Final = 200
"""Characters of a name that are remembered."""

_HOSTS: Final = 64
"""Bits of an IPv6 address that whoever has a network chooses as he likes (RFC 4291, 2.5.4)."""


class Scope(StrEnum):
    """What calls have in common that are limited together."""

    KEY = "key"
    USER = "user"
    ADDRESS = "address"
    MODEL = "model"
    ALL = "all"

    def __init__(self, name: str) -> None:
        self.own: Final = name in ("key", "user", "address")
        """Whether it is about the caller alone, who may know how much he has left."""


class Subject(NamedTuple):
    """Whose use is counted together.

    Attributes:
        scope: What it is.
        tenant: Whose key or user it is; empty for others.
        name: Which one.
    """

    scope: Scope
    tenant: str
    name: str


ALL: Final = Subject(Scope.ALL, "", "")

# Most calls are those of somebody who was here before: the same object is found again sooner. What
# is remembered is bounded, so the names are, too.
_remembered: Final = lru_cache(maxsize=4096)


@_remembered
def of_model(name: str) -> Subject:
    """Return a model as clients call it."""
    return Subject(Scope.MODEL, "", name)


@_remembered
def of_key(tenant: str, name: str) -> Subject:
    """Return a tenant's key, by its name."""
    return Subject(Scope.KEY, tenant, name)


def of_user(tenant: str, name: str) -> Subject:
    """Return on whose behalf a tenant asks; long names, which may be anything, in short."""
    return _user(tenant, shortened(name))


def shortened(name: str) -> str:
    """Return a name, or the digest of a long one."""
    if len(name) <= LONGEST:
        return name
    return sha256(name.encode("utf-8", "replace")).hexdigest()


@_remembered
def _user(tenant: str, name: str) -> Subject:
    return Subject(Scope.USER, tenant, name)


def of_address(address: str) -> Subject:
    """Return who has an address: of IPv6, the whole network."""
    return _address(address[:LONGEST])


@_remembered
def _address(address: str) -> Subject:
    try:
        parsed = ip_address(address)
    except ValueError:
        return Subject(Scope.ADDRESS, "", address)
    if isinstance(parsed, IPv6Address):
        network = IPv6Network((int(parsed) >> _HOSTS << _HOSTS, _HOSTS))
        return Subject(Scope.ADDRESS, "", str(network))
    return Subject(Scope.ADDRESS, "", address)
