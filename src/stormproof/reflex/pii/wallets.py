"""Wallets of cryptocurrencies, by the checksums of their addresses."""

from collections.abc import Iterable
from functools import reduce
from hashlib import sha256
from operator import xor
from typing import Final

from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.recogniser import Recogniser

_BASE58: Final = r"\b[13DLMT][1-9A-HJ-NP-Za-km-z]{25,34}\b"
_COINS: Final = {"D": "dogecoin", "L": "litecoin", "M": "litecoin", "T": "tron"}
_LONGEST_BASE58: Final = 35
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

_BECH32_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_CARRIED: Final = [
    reduce(xor, (one for bit, one in enumerate(_BECH32_GENERATOR) if top >> bit & 1), 0)
    for top in range(32)
]
"""What the five bits add that a step shifts out: bit by bit, that takes four times as long."""
_ETHEREUM: Final = r"\b0x[0-9A-Fa-f]{40}\b"


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
    if _bech32_checksum(values) in _BECH32_CHECKSUMS:
        yield Finding(Kind.CRYPTO_WALLET, start, end, "litecoin" if prefix == "ltc" else "bitcoin")


def _bech32_checksum(values: Iterable[int]) -> int:
    """Return the checksum of BIP-173 over values of five bits."""
    checksum = 1
    for value in values:
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value ^ _BECH32_CARRIED[checksum >> 25]
    return checksum


def _wallet(text: str, start: int, end: int) -> Iterable[Finding]:
    if text.startswith("0x", start):
        return [Finding(Kind.CRYPTO_WALLET, start, end, "ethereum")]
    if end - start > _LONGEST_BASE58:
        return _bech32(text, start, end)
    return _base58(text, start, end)


RECOGNISER: Final = Recogniser(
    frozenset({Kind.CRYPTO_WALLET}),
    r"\b[13DLMT][1-9A-HJ-NP-Za-km-z]{25}|\b(?:bc1|tb1|ltc1|BC1|TB1|LTC1)|\b0x[0-9A-Fa-f]{8}",
    "|".join((_BASE58, _BECH32, _ETHEREUM)),
    _wallet,
)
