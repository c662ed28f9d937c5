"""Where computers and people are: IP and MAC addresses, coordinates."""

from ipaddress import IPv6Address
from typing import Final

from stormproof.reflex.pii.finding import Kind
from support.labelled_texts.chance import Chance
from support.labelled_texts.page import Item

_PREFIXES: Final = ("2001", "2a00", "2a02", "2600", "2804", "fd12")
_PRIVATE: Final = ("10.{}.{}.{}", "192.168.{}.{}", "172.16.{}.{}")


def ipv4(chance: Chance) -> Item:
    numbers = [chance.randint(1, 223), *(chance.randint(0, 255) for _ in range(3))]
    numbers[0] += numbers[0] in {10, 127, 0}
    text = ".".join(map(str, numbers))
    if chance.often(0.25):
        text = chance.choice(_PRIVATE).format(*(chance.randint(1, 254) for _ in range(3)))
    return Item(Kind.IP_ADDRESS, "v4", chance.choice(("IP", "client IP", "IP address")), text)


def ipv6(chance: Chance) -> Item:
    blocks = [chance.hexadecimal(4) for _ in range(7)]
    if chance.often(0.6):
        blocks[2:5] = ["0"] * 3
    address = IPv6Address(":".join((chance.choice(_PREFIXES), *blocks)))
    text = chance.choice((address.compressed, address.compressed.upper(), address.exploded))
    return Item(Kind.IP_ADDRESS, "v6", chance.choice(("IPv6", "client IP", "IP address")), text)


def mac(chance: Chance) -> Item:
    octets = [chance.hexadecimal(2) for _ in range(6)]
    text = chance.choice((":".join(octets), "-".join(octets), ":".join(octets).upper()))
    if chance.often(0.15):
        plain = "".join(octets)
        text = f"{plain[:4]}.{plain[4:8]}.{plain[8:]}"
    return Item(Kind.MAC_ADDRESS, "mac", chance.choice(("MAC", "MAC address", "hw addr")), text)


def coordinates(chance: Chance) -> Item:
    latitude, longitude = chance.uniform(-60, 70), chance.uniform(-179, 179)
    digits = chance.choice((4, 5, 6))
    pair = f"{latitude:.{digits}f}, {longitude:.{digits}f}"
    north, east = "NS"[latitude < 0], "EW"[longitude < 0]
    texts = (
        pair,
        pair.replace(" ", ""),
        f"{abs(latitude):.{digits}f}° {north}, {abs(longitude):.{digits}f}° {east}",
        f"{_sexagesimal(latitude)}{north} {_sexagesimal(longitude)}{east}",
    )
    names = ("coordinates", "GPS", "position", "location")
    return Item(Kind.COORDINATES, "pair", chance.choice(names), chance.choice(texts))


def _sexagesimal(degrees: float) -> str:
    minutes, seconds = divmod(round(abs(degrees) * 3600), 60)
    return f"{minutes // 60}°{minutes % 60:02}'{seconds:02}\""
