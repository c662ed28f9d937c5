"""Addresses of crypto wallets, with the checks that they carry."""

from hashlib import sha256
from typing import Final

from stormproof.reflex.pii.finding import Kind
from support.labelled_texts.chance import Chance
from support.labelled_texts.page import Item

_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_PARTS: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_OLD, _NEW = 1, 0x2BC830A3
"""The constants of Bech32 (BIP 173) and Bech32m (BIP 350)."""

_LANES, _RATE, _WORD = 25, 136, (1 << 64) - 1
_NAMES: Final = ("wallet", "wallet address", "payout address")


def base58check(version: int, payload: bytes) -> str:
    """Return an address of Bitcoin's first form."""
    body = bytes([version]) + payload
    body += sha256(sha256(body).digest()).digest()[:4]
    number, text = int.from_bytes(body), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return "1" * (len(body) - len(body.lstrip(b"\0"))) + text


def segwit(version: int, program: bytes) -> str:
    """Return a native segregated-witness address of Bitcoin."""
    bits = "".join(f"{byte:08b}" for byte in program)
    bits += "0" * (-len(bits) % 5)
    data = [version, *(int(bits[start : start + 5], 2) for start in range(0, len(bits), 5))]
    check = _polymod([3, 3, 0, 2, 3, *data, *[0] * 6]) ^ (_NEW if version else _OLD)
    data += [check >> 5 * (5 - place) & 31 for place in range(6)]
    return "bc1" + "".join(_BECH32[value] for value in data)


def _polymod(values: list[int]) -> int:
    total = 1
    for value in values:
        top = total >> 25
        total = (total & 0x1FFFFFF) << 5 ^ value
        for bit, part in enumerate(_BECH32_PARTS):
            total ^= part if top >> bit & 1 else 0
    return total


def ethereum(address: bytes) -> str:
    """Return an address with its check in the case of its letters (EIP-55)."""
    text = address.hex()
    marks = keccak256(text.encode()).hex()
    pairs = zip(text, marks, strict=False)
    return "0x" + "".join(c.upper() if int(mark, 16) > 7 else c for c, mark in pairs)


def keccak256(message: bytes) -> bytes:
    """Return the hash that Ethereum uses: SHA-3 before its padding was changed."""
    message += b"\x01" + bytes(-(len(message) + 1) % _RATE)
    message = message[:-1] + bytes([message[-1] | 0x80])
    lanes = [0] * _LANES
    for start in range(0, len(message), _RATE):
        for lane in range(_RATE // 8):
            begin = start + 8 * lane
            lanes[lane] ^= int.from_bytes(message[begin : begin + 8], "little")
        lanes = _permuted(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _permuted(lanes: list[int]) -> list[int]:
    """Return the lanes after 24 rounds of Keccak-f[1600]."""
    register = 1
    for _ in range(24):
        columns = [
            lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20]
            for x in range(5)
        ]
        mixed = [columns[x - 1] ^ _turned(columns[(x + 1) % 5], 1) for x in range(5)]
        lanes = [lane ^ mixed[place % 5] for place, lane in enumerate(lanes)]
        lanes = _moved(lanes)
        lanes = [
            lanes[5 * y + x] ^ ~lanes[5 * y + (x + 1) % 5] & lanes[5 * y + (x + 2) % 5]
            for y in range(5)
            for x in range(5)
        ]
        for power in range(7):
            register = (register << 1 ^ (register >> 7) * 0x71) % 256
            if register & 2:
                lanes[0] ^= 1 << (1 << power) - 1
    return lanes


def _moved(lanes: list[int]) -> list[int]:
    x, y, moved, current = 1, 0, lanes.copy(), lanes[1]
    for step in range(24):
        x, y = y, (2 * x + 3 * y) % 5
        current, moved[5 * y + x] = (
            lanes[5 * y + x],
            _turned(current, (step + 1) * (step + 2) // 2 % 64),
        )
    return moved


def _turned(lane: int, by: int) -> int:
    return (lane << by | lane >> 64 - by) & _WORD


def wallet(chance: Chance) -> Item:
    shape = chance.choice(("bitcoin", "bitcoin script", "segwit", "taproot", "ethereum", "tron"))
    text = {
        "bitcoin": lambda: base58check(0, chance.randbytes(20)),
        "bitcoin script": lambda: base58check(5, chance.randbytes(20)),
        "segwit": lambda: segwit(0, chance.randbytes(chance.choice((20, 32)))),
        "taproot": lambda: segwit(1, chance.randbytes(32)),
        "ethereum": lambda: ethereum(chance.randbytes(20)),
        "tron": lambda: base58check(0x41, chance.randbytes(20)),
    }[shape]()
    return Item(Kind.CRYPTO_WALLET, shape, chance.choice(_NAMES), text)
