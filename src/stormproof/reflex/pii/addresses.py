"""Addresses of people and of machines."""

import ipaddress
from collections.abc import Iterable
from typing import Final

from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.recogniser import Recogniser

_EMAIL: Final = (
    r"[A-Za-z0-9\x80-\xff](?:[A-Za-z0-9\x80-\xff.!#$%&'*+/=^_`{|}~-]{0,62}[A-Za-z0-9\x80-\xff_+-])?"
    r"@(?:[A-Za-z0-9\x80-\xff](?:[A-Za-z0-9\x80-\xff-]{0,61}[A-Za-z0-9\x80-\xff])?\.){1,8}"
    r"(?:[A-Za-z]{2,24}|xn--[a-z0-9-]{2,59})"
)
_IPV4: Final = r"\b(?:\d{1,3}\.){3}\d{1,3}\b"


def _email(text: str, start: int, end: int) -> Iterable[Finding]:
    local = text[start : text.index("@", start)]
    if ".." not in local:
        yield Finding(Kind.EMAIL, start, end)


def _ip_address(text: str, start: int, end: int) -> Iterable[Finding]:
    try:
        ipaddress.ip_address(text[start:end])
    except ValueError:
        return
    yield Finding(Kind.IP_ADDRESS, start, end)


RECOGNISERS: Final = (
    Recogniser(frozenset({Kind.EMAIL}), _EMAIL, _email),
    Recogniser(frozenset({Kind.IP_ADDRESS}), _IPV4, _ip_address),
)
