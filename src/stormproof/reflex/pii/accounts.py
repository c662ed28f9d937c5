"""Where money is kept: bank accounts and wallets."""

import re
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from typing import Final

from stdnum import bitcoin, iban, numdb

from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.recogniser import Recogniser

_IBAN: Final = r"\b[A-Za-z]{2}\d{2}[ -]?[A-Za-z0-9]{4}[ -]?[A-Za-z0-9]{4}"
_LONGEST_IBAN: Final = 34
_LENGTHS: Final = numdb.get("iban")
_BASE58: Final = r"\b[13DLMT][1-9A-HJ-NP-Za-km-z]{25,34}\b"
_COINS: Final = {"D": "dogecoin", "L": "litecoin", "M": "litecoin", "T": "tron"}
_BASE58_BYTES: Final = 25
_BECH32: Final = (
    r"\b(?:bc1|tb1|ltc1)[02-9ac-hj-np-z]{38,87}\b|\b(?:BC1|TB1|LTC1)[02-9AC-HJ-NP-Z]{38,87}\b"
)
_BECH32_ALPHABET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_CHECKSUMS: Final = (1, 0x2BC830A3)
"""Of BIP-173, and of BIP-350."""
_ETHEREUM: Final = r"\b0x[0-9A-Fa-f]{40}\b"


@cache
def _iban_length(country: str) -> int:
    """Return how many characters the accounts of a country have; 0 if it has none."""
    _, properties = _LENGTHS.info(country)[0]
    structure = properties.get("bban", "")
    return 4 + sum(map(int, re.findall(r"\d+", structure))) if structure else 0


def _iban(text: str, start: int, _end: int) -> Iterable[Finding]:
    """Yield the account number that begins in a place: its country tells where it ends."""
    country = text[start : start + 2].upper()
    left, end = _iban_length(country), start
    while left and end < len(text):
        if text[end].isalnum():
            left -= 1
        elif text[end] not in " -" or text[end - 1] in " -":
            return
        end += 1
    if not left and not text[end : end + 1].isalnum() and iban.is_valid(text[start:end]):
        yield Finding(Kind.IBAN, start, end, country.lower())


def _base58(text: str, start: int, end: int) -> Iterable[Finding]:
    decoded = bitcoin.b58decode(text[start:end])
    if len(decoded) == _BASE58_BYTES and _twice_hashed(decoded[:-4])[:4] == decoded[-4:]:
        yield Finding(Kind.CRYPTO_WALLET, start, end, _COINS.get(text[start], "bitcoin"))


def _twice_hashed(payload: bytes) -> bytes:
    return sha256(sha256(payload).digest()).digest()


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
