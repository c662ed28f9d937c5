"""The beginning of a file: the bytes that have arrived, and what they are the beginning of.

Beside ``NAME`` lie the bytes in ``NAME.part`` and a note about them in ``NAME.part.json``. They
survive a cut connection, a crash and a ``kill -9``, and are continued only if the result can be
judged: by the checksum of the whole, or by the server's validator, sent as ``If-Range``.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from stormproof.weights.disk import settle, sha256_of, storing
from stormproof.weights.progress import Report

_OPERATION: Final = "keep the download"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file on a server.

    Attributes:
        url: Where it is.
        limit: Bytes that it cannot exceed, whatever the server says.
        sha256: Its checksum in lower-case hexadecimal, if known.
    """

    url: str
    limit: int
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class _Note:
    """What the bytes of a part file are the beginning of."""

    url: str
    sha256: str | None
    validator: str | None
    total: int | None

    @classmethod
    def read(cls, path: Path) -> Self | None:
        try:
            return cls(**json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None  # never written, or cut off while it was

    def is_of(self, remote: RemoteFile) -> bool:
        same_content = self.sha256 is not None and self.sha256 == remote.sha256
        return same_content or (self.url == remote.url and self.validator is not None)


class PartFile:
    """What has arrived of ``remote``, on its way to become ``target``."""

    def __init__(self, target: Path, remote: RemoteFile) -> None:
        self._target, self._remote = target, remote
        self._bytes = target.with_name(f"{target.name}.part")
        self._about = target.with_name(f"{target.name}.part.json")

        note = _Note.read(self._about)
        if note is None or not note.is_of(remote):
            self.discard()

    @property
    def size(self) -> int:
        """Bytes that have arrived."""
        return self._bytes.stat().st_size if self._bytes.exists() else 0

    @property
    def complete(self) -> bool:
        """Whether as much has arrived as the server announced."""
        note = _Note.read(self._about)
        return note is not None and note.total == self.size

    def request_headers(self) -> dict[str, str]:
        """Return the headers that ask for what is missing, if it is still the same file."""
        note = _Note.read(self._about)
        if note is None or not note.is_of(self._remote) or self.size == 0:
            return {}
        wanted = {"range": f"bytes={self.size}-"}
        if note.validator is not None and note.url == self._remote.url:
            wanted["if-range"] = note.validator
        return wanted

    def describe(self, headers: Mapping[str, str], total: int | None) -> None:
        """Note what the bytes are the beginning of.

        Args:
            headers: Of the server's answer, names in any case.
            total: Bytes of the whole file, if known.
        """
        etag = headers.get("etag", "")
        strong = etag and not etag.startswith("W/")  # a weak one vouches for no single byte
        validator = etag if strong else headers.get("last-modified")
        note = _Note(self._remote.url, self._remote.sha256, validator, total)
        with storing(_OPERATION, self._about):
            self._about.write_text(json.dumps(asdict(note)), encoding="utf-8")

    @contextmanager
    def writing(self) -> Iterator[Callable[[bytes], None]]:
        """Yield what appends to the bytes."""
        with storing(_OPERATION, self._bytes):
            file = self._bytes.open("ab")

        def write(chunk: bytes) -> None:
            with storing(_OPERATION, self._bytes):
                file.write(chunk)

        try:
            yield write
        finally:
            with storing(_OPERATION, self._bytes):
                file.close()

    def matches(self, report: Report) -> bool:
        """Return whether the bytes have the checksum of the file; True if none is known."""
        expected = self._remote.sha256
        return expected is None or sha256_of(self._bytes, report) == expected

    def finish(self) -> None:
        """Give the whole file its name."""
        with storing(_OPERATION, self._target):
            settle(self._bytes, self._target)
            self._about.unlink(missing_ok=True)

    def discard(self) -> None:
        """Forget everything that has arrived."""
        with storing(_OPERATION, self._bytes):
            self._bytes.unlink(missing_ok=True)
            self._about.unlink(missing_ok=True)
