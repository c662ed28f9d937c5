"""Finding secrets in what a program leaves behind, however they are written there."""

import base64
import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

_BEGINNING = 32
"""Characters that are searched for of what is longer: a secret that is cut off is one too."""

_SHORTEST = 9
"""Characters that mean something: fewer are anywhere by chance."""


class Leaks:
    """Finds secrets in bytes.

    Args:
        secrets: By names, which are told instead of them.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._needles = [
            (name, needle) for name, secret in secrets.items() for needle in written(secret)
        ]

    def within(self, data: bytes) -> Collection[str]:
        """Return the names of those that are there."""
        return {name for name, needle in self._needles if needle in data}

    def in_files(self, folder: Path) -> Mapping[str, Collection[str]]:
        """Return the names of those in each file of a folder, and in its name, where there are."""
        files = [path for path in folder.rglob("*") if path.is_file()]
        found = {str(file): self.within(str(file).encode() + file.read_bytes()) for file in files}
        return {file: names for file, names in found.items() if names}


def written(secret: str) -> Collection[bytes]:
    """Return every way in which a secret may be written."""
    together = re.sub(r"[\s./:()\u00b0-]", "", secret)
    texts = {secret, secret[:_BEGINNING], secret.lower(), together}
    return {needle for text in texts for needle in _encoded(text) if len(needle) >= _SHORTEST}


def _encoded(text: str) -> Iterator[bytes]:
    raw = text.encode()
    yield raw
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    yield quote(text, safe="").encode()
    yield json.dumps(text)[1:-1].encode()
    yield json.dumps(text, ensure_ascii=False)[1:-1].encode()
    yield repr(text)[1:-1].encode()
    for shift in range(3):
        whole = base64.b64encode(bytes(shift) + raw)
        # The characters at both ends depend on what stands beside it.
        inside = whole[-(-8 * shift // 6) : len(whole) - 4 if len(raw) % 3 or shift else None]
        yield inside
        yield inside.replace(b"+", b"-").replace(b"/", b"_")
