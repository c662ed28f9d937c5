"""Where money is kept: bank accounts and wallets."""

import re
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from typing import Final

from stdnum import bitcoin, numdb

from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.recogniser import Recogniser

_IBAN: Final = r"\b[A-Za-z]{2}\d{2}[ -]?[A-Za-z0-9]{4}[ -]?[A-Za-z0-9]{4}"
_STRUCTURES: Final = numdb.get("iban")
_PART: Final = re.compile("([1-9][0-9]*)!([nac])")
_SIGNS: Final = {"n": "0-9", "a": "A-Z", "c": "A-Z0-9"}
_BASE58: Final = r"\b[13DLMT][1-9A-HJ-NP-Za-km-z]{25,34}\b"
_COINS: Final = {"D": "dogecoin", "L": "litecoin", "M": "litecoin", "T": "tron"}
_BASE58_BYTES: Final = 25
_BASE58_DIGITS: Final = {
    character: digit
    for digit, character in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")
}
_BECH32: Final = (
    r"\b(?:bc1|tb1|ltc1)[02-9ac-hj-np-z]{38,87}\b|\b(?:BC1|TB1|LTC1)[02-9AC-HJ-NP-Z]{38,87}\b"
)
_BECH32_ALPHABET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_CHECKSUMS: Final = (1, 0x2BC830A3)
"""Of BIP-173, and of BIP-350."""
_ETHEREUM: Final = r"\b0x[0-9A-Fa-f]{40}\b"


@cache
def _structure(country: str) -> re.Pattern[str] | None:
    """Return what follows the check digits in a country's accounts; None if it has none."""
    _, properties = _STRUCTURES.info(country)[0]
    parts = _PART.findall(properties.get("bban", ""))
    return (
        re.compile("".join(f"[{_SIGNS[sign]}]{{{size}}}" for size, sign in parts))
        if parts
        else None
    )


@cache
def _length(country: str) -> int:
    """Return how many characters a country's accounts have; 0 if it has none."""
    _, properties = _STRUCTURES.info(country)[0]
    parts = _PART.findall(properties.get("bban", ""))
    return sum(int(size) for size, _ in parts) + 4 if parts else 0


def _iban(text: str, start: int, _end: int) -> Iterable[Finding]:
    """Yield the account number that begins in a place: its country tells where it ends."""
    country = text[start : start + 2].upper()
    left, end = _length(country), start
    while left and end < len(text):
        if text[end].isalnum():
            left -= 1
        elif text[end] not in " -" or text[end - 1] in " -":
            return
        end += 1
    account = text[start:end].upper().replace(" ", "").replace("-", "")
    if not left and not text[end : end + 1].isalnum() and _checks(country, account):
        yield Finding(Kind.IBAN, start, end, country.lower())


def _checks(country: str, account: str) -> bool:
    """Return whether an account has its country's form, and the check digits of ISO 13616."""
    structure = _structure(country)
    if not structure or not structure.fullmatch(account, 4):
        return False
    return int("".join(str(int(one, 36)) for one in account[4:] + account[:4])) % 97 == 1


def _base58(text: str, start: int, end: int) -> Iterable[Finding]:
    number = 0
    for character in text[start:end]:
        number = number * len(_BASE58_DIGITS) + _BASE58_DIGITS[character]
    if number.bit_length() > _BASE58_BYTES * 8:
        return
    decoded = number.to_bytes(_BASE58_BYTES)
    if sha256(sha256(decoded[:-4]).digest()).digest()[:4] == decoded[-4:]:
        yield Finding(Kind.CRYPTO_WALLET, start, end, _COINS.get(text[start], "bitcoin"))


def _bech32(text: str, start: int, end: int) -> Iterable[Finding]:
    prefix, _, data = text[start:end].lower().partition("1")
    expanded = [*(ord(one) >> 5 for one in prefix), 0, *(ord(one) & 31 for one in prefix)]
    values = [*expanded, *map(_BECH32_ALPHABET.index, data)]
    if bitcoin.bech32_checksum(values) in _BECH32_CHECKSUMS:
        yield Finding(Kind.CRYPTO_WALLET, start, end, "litecoin" if prefix == "ltc" else "bitcoin")


def _wallet(text: str, start: int, end: int) -> Iterable[Finding]:
    if text.startswith("0x", start):
        return [Finding(Kind.CRYPTO_WALLET, start, end, "ethereum")]
    if text[start : start + 3].lower() in {"bc1", "tb1", "ltc"}:
        return _bech32(text, start, end)
    return _base58(text, start, end)


RECOGNISERS: Final = (
    Recogniser(frozenset({Kind.IBAN}), r"\b[A-Za-z]{2}\d{2}[ -]?[A-Za-z0-9]{4}", _IBAN, _iban),
    Recogniser(
        frozenset({Kind.CRYPTO_WALLET}),
        r"\b[13DLMT][1-9A-HJ-NP-Za-km-z]{9}|\b(?:bc1|tb1|ltc1|BC1|TB1|LTC1)|\b0x[0-9A-Fa-f]{8}",
        "|".join((_BASE58, _BECH32, _ETHEREUM)),
        _wallet,
    ),
)
