"""Addresses of people and of machines."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.recogniser import Recogniser

_ATOM: Final = r"[A-Za-z0-9\x80-\xff%+_'-]+"
_LABEL: Final = r"[A-Za-z0-9\x80-\xff](?:[A-Za-z0-9\x80-\xff-]*[A-Za-z0-9\x80-\xff])?"
_EMAIL: Final = rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+(?:[A-Za-z]{{2,24}}|xn--[a-z0-9-]+)"
_LONGEST_LOCAL: Final = 64
_LONGEST_DOMAIN: Final = 253
_QUOTES: Final = "'-"
_FILES: Final = frozenset(
    {"png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "ts", "json", "git"}
)

_IPV4: Final = r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b"
_IPV6_SIGN: Final = (
    r"[0-9A-Fa-f]?::[0-9A-Fa-f]|:[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}:"
)
_IPV6: Final = (
    r"(?:(?:[0-9A-Fa-f]{1,4}:){1,7}|:):[0-9A-Fa-f:.]*[0-9A-Fa-f]"
    r"|(?:[0-9A-Fa-f]{1,4}:){6}(?:[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}|[0-9.]+\d)"
)
_VERSION: Final = re.compile(
    r"(?:version|release|firmware|build|\bv|\w/|[<>~=!]=)[\s:=\"]*$", re.IGNORECASE
)
_BEFORE: Final = 12
_IPV6_COLONS: Final = 7

_MAC_SIGN: Final = (
    r"\b[0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-]|\b[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\."
)
_MAC: Final = (
    r"\b[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}\b|\b[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}\b"
    r"|\b[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\b"
)


def _email(text: str, start: int, end: int) -> Iterable[Finding]:
    """Yield an address of a person; not a file's name, nor what Git calls a repository."""
    while text[start] in _QUOTES:
        start += 1
    local, _, domain = text[start:end].partition("@")
    if not 0 < len(local) <= _LONGEST_LOCAL or len(domain) > _LONGEST_DOMAIN:
        return
    suffix = domain.rpartition(".")[2].lower()
    repository = text.startswith("git@", start) and text[end : end + 1] in {":", "/"}
    if suffix not in _FILES and not repository:
        yield Finding(Kind.EMAIL, start, end)


def _ipv4(text: str, start: int, end: int) -> Iterable[Finding]:
    """Yield an address of a machine; not a version, nor a piece of a longer list of numbers."""
    if _joined(text, start, end, ".") or _VERSION.search(text, max(0, start - _BEFORE), start):
        return
    try:
        address = IPv4Address(text[start:end])
    except ValueError:
        return
    if not (address.is_loopback or address.is_unspecified):
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
    return before == by or before.isalnum() or (after[:1] == by and after[1:].isalnum())


RECOGNISERS: Final = (
    Recogniser(
        frozenset({Kind.EMAIL}), r"[A-Za-z0-9\x80-\xff_+-]@[A-Za-z0-9\x80-\xff]", _EMAIL, _email
    ),
    Recogniser(frozenset({Kind.IP_ADDRESS}), r"\d\.\d{1,3}\.\d{1,3}\.\d", _IPV4, _ipv4),
    Recogniser(frozenset({Kind.MAC_ADDRESS}), _MAC_SIGN, _MAC, _mac),
    Recogniser(frozenset({Kind.IP_ADDRESS}), _IPV6_SIGN, _IPV6, _ipv6),
)
