"""How attackers hide words: each way takes a text, and gives one that a model still reads."""

import base64
import codecs
import html
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

Hide = Callable[[str], str]

_BOLD: Final = {
    **{ord("A") + n: chr(0x1D400 + n) for n in range(26)},
    **{ord("a") + n: chr(0x1D41A + n) for n in range(26)},
}
_WIDE: Final = {code: chr(code + 0xFEE0) for code in range(0x21, 0x7F)} | {0x20: "\u3000"}
_CYRILLIC: Final = str.maketrans("aceopxyAEOCTHMKi", "асеорхуАЕОСТНМКі")  # noqa: RUF001


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


ENCODINGS: Final[Mapping[str, Hide]] = {
    "base64": _base64,
    "base64 for addresses": lambda text: (
        base64.urlsafe_b64encode(text.encode()).decode().strip("=")
    ),
    "base64 in lines": lambda text: base64.encodebytes(text.encode()).decode(),
    "base64 twice": lambda text: _base64(_base64(text)),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal apart": lambda text: text.encode().hex(" "),
    "bytes in a program": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "binary": lambda text: " ".join(f"{byte:08b}" for byte in text.encode()),
    "percent": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "percent where needed": lambda text: quote(text, safe=""),
    "decimal entities": lambda text: "".join(f"&#{ord(one)};" for one in text),
    "hexadecimal entities": lambda text: "".join(f"&#x{ord(one):x};" for one in text),
    "escapes of JSON": lambda text: "".join(
        f"\\u{unit:04x}" for unit in memoryview(text.encode("utf-16")[2:]).cast("H")
    ),
    "variation selectors": lambda text: (
        "😀" + "".join(chr(0xE0100 + byte - 16) for byte in text.encode())
    ),
    "base64 of hexadecimal": lambda text: _base64(text.encode().hex()),
}
"""What has to be decoded; of these, what is found spans the whole run."""

LOOKS: Final[Mapping[str, Hide]] = {
    "zero-width spaces": "\u200b".join,
    "soft hyphens": "\u00ad".join,
    "marks upon letters": lambda text: "".join(f"{one}\u0301" for one in text),
    "full width": lambda text: text.translate(_WIDE),
    "mathematical letters": lambda text: text.translate(_BOLD),
    "Cyrillic letters": lambda text: text.translate(_CYRILLIC),
    "marks of direction": lambda text: f"\u202a{text}\u202c",
    "lines for spaces": lambda text: text.replace(" ", "\n"),
    "escaped lines": lambda text: text.replace(" ", "\\n"),
    "many spaces": lambda text: text.replace(" ", " \t\xa0 "),
    "stars for emphasis": lambda text: text.replace(" ", "** **"),
    "capitals": str.upper,
    "bold words": lambda text: text.replace(" ", "</b> <b>"),
    "breaks of lines": lambda text: text.replace(" ", "<br />"),
    "comments": lambda text: text.replace(" ", " <!-- x --> "),
    "tags in words": lambda text: text.replace("n", "<i></i>n"),
    "lines of mails": lambda text: text.replace("e", "=\r\ne"),
    "entities where needed": html.escape,
}
"""What only looks otherwise."""

SPELLINGS: Final[Mapping[str, Hide]] = {
    "tags": lambda text: "Hello." + "".join(chr(0xE0000 + ord(one)) for one in text),
    "base64 of UTF-16": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "rot13": lambda text: codecs.encode(text, "rot13"),
    "backwards": lambda text: text[::-1],
    "letters apart": " ".join,
    "letters apart, words further": lambda text: "   ".join(map(" ".join, text.split())),
    "letters and dashes": "-".join,
    "capital i for l": lambda text: text.replace("l", "I"),
    "emphasis in words": lambda text: text.replace("r", "**r**"),
    "digits for letters": lambda text: text.translate(str.maketrans("aeios", "43105")),
    "in one word": lambda text: text.replace(" ", ""),
}
"""What is undone for English alone."""
