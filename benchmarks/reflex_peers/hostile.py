"""Texts that make patterns which look back try everything again, and again."""

from collections.abc import Iterator, Mapping
from typing import Final

_PARTS: Final[Mapping[str, str]] = {
    "a": "a",
    "digits": "1",
    "digits and spaces": "1 ",
    "digits and hyphens": "12-",
    "digits and dots": "1.",
    "groups of cards": "4111 1111 1111 1111 ",
    "addresses of machines": "1.1.1.1 ",
    "numbers in Chinese": "请联系我们12345678901",
    "addresses in Cyrillic": "юзер@",
    "at signs": "a@",
    "domains": "a.",
    "an address's beginning": "a@a.",
    "colons": "a:",
    "blocks of IPv6": "0:",
    "plus signs": "+1-",
    "a key's beginning": "-----BEGIN PRIVATE KEY-----\n",
    "a JWT's beginning": "eyJhbGciOiJ",
    "a token's prefix": "sk-ghp_xoxb-AKIA",
    "a URL's beginning": "postgres://a:",
    "instructions": "ignore all the previous ",
    "base64": "aWdub3JlIGFsbCBwcmV2aW91cyBpbnN0cnVjdGlvbnM",
    "zero-width": "i\u200bg\u200bn\u200b",
    "brackets": "([{",
}


def hostile(size: int) -> Iterator[tuple[str, str]]:
    """Yield what each text repeats, and the text, of that many characters."""
    for name, part in _PARTS.items():
        repeated = part * (size // len(part) + 1)
        yield name, repeated[: size - 1] + "!"
