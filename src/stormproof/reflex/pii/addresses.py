"""Addresses of machines."""

import re
from collections.abc import Iterable
from ipaddress import IPv6Address
from typing import Final

from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.numbering import is_numbering
from stormproof.reflex.pii.recogniser import Recogniser
from stormproof.reflex.pii.scripts import joins

_IPV4: Final = r"\b\d{1,3}(?:\.\d{1,3}){3,}\b"
_IPV6_SIGN: Final = (
    r"[0-9A-Fa-f]?::[0-9A-Fa-f]|:[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}:"
)
_IPV6: Final = (
    r"(?:(?:[0-9A-Fa-f]{1,4}:){1,7}|:):[0-9A-Fa-f:.]*[0-9A-Fa-f]"
    r"|(?:[0-9A-Fa-f]{1,4}:){6}(?:[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}|[0-9.]+\d)"
)
_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_SOMEBODYS: Final = re.compile(rf"(?!(?:0|127|22[4-9]|2[345][0-9])\.){_OCTET}(?:\.{_OCTET}){{3}}")
"""Neither an address of no machine nor one of every machine, of groups (RFC 5771), or a mask."""

_IPV6_COLONS: Final = 7

_MAC_SIGN: Final = (
    r"\b[0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-]|\b[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\."
)
_MAC: Final = (
    r"\b[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}\b|\b[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}\b"
    r"|\b[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\b"
)


def _ipv4(text: str, start: int, end: int) -> Iterable[Finding]:
    """Yield an address of a machine; not a version, nor a piece of a longer list of numbers."""
    if _SOMEBODYS.fullmatch(text, start, end) and not (
        _joined(text, start, end, ".") or is_numbering(text, start, end)
    ):
        yield Finding(Kind.IP_ADDRESS, start, end)


def _ipv6(text: str, start: int, end: int) -> Iterable[Finding]:
    written = text[start:end]
    if "::" not in written and written.count(":") != _IPV6_COLONS:
        return
    if _joined(text, start, end, ":") or not any(one.isdigit() for one in written):
        return
    try:
        address = IPv6Address(written)
    except ValueError:
        return
    if not address.is_reserved:  # nobody has one such as 1::2, which is a slice
        yield Finding(Kind.IP_ADDRESS, start, end)


def _mac(text: str, start: int, end: int) -> Iterable[Finding]:
    """Yield an address of a network card; digits alone are one only between colons."""
    written = text[start:end]
    separator = ":" if ":" in written else "-" if "-" in written else "."
    told = separator == ":" or not written.replace(separator, "").isdigit()
    if told and not _joined(text, start, end, separator) and len(set(written)) > 2:  # noqa: PLR2004
        yield Finding(Kind.MAC_ADDRESS, start, end)


def _joined(text: str, start: int, end: int, by: str) -> bool:
    """Return whether more of the same stands before or behind."""
    before, after = text[max(0, start - 1) : start], text[end : end + 2]
    return before == by or joins(before) or (after[:1] == by and joins(after[1:]))


RECOGNISERS: Final = (
    Recogniser(frozenset({Kind.IP_ADDRESS}), r"\d\.\d{1,3}\.\d{1,3}\.\d", _IPV4, _ipv4),
    Recogniser(frozenset({Kind.MAC_ADDRESS}), _MAC_SIGN, _MAC, _mac),
    Recogniser(frozenset({Kind.IP_ADDRESS}), _IPV6_SIGN, _IPV6, _ipv6),
)
