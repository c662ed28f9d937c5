"""The search for secrets finds them, however they are written."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from support.leaks import Leaks

SECRET = 'sk-live/ä+"4242 4242 4242 4242"\n-tail'
WAYS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": bytes,
    "base64": base64.b64encode,
    "base64 for URLs": base64.urlsafe_b64encode,
    "base64, one further": lambda text: base64.b64encode(b"x" + text + b"yz"),
    "base64, two further": lambda text: base64.b64encode(b"xy" + text + b"z"),
    "hexadecimal": lambda text: text.hex().encode(),
    "JSON": lambda text: json.dumps(text.decode()).encode(),
    "Python": lambda text: repr(text.decode()).encode(),
    "URL": lambda text: quote(text.decode(), safe="").encode(),
    "in lower case": lambda text: text.decode().lower().encode(),
    "cut off": lambda text: text[:34],
}


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_is_found_however_it_is_written(way: str) -> None:
    """In the middle of something else, too."""
    leaks = Leaks({"it": SECRET, "another": "AKIA0123456789ABCDEF"})
    assert leaks.within(b"before " + WAYS[way](SECRET.encode()) + b" behind") == {"it"}


def test_a_number_is_found_without_its_spaces() -> None:
    """As programs keep it."""
    assert Leaks({"card": "4242 4242 4242 4242"}).within(b"{'pan': 4242424242424242}") == {"card"}


def test_files_are_searched_with_their_names(tmp_path: Path) -> None:
    """Those of folders within, too; only those with a secret are told."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.db-wal").write_bytes(b"\0\1hunter2-hunter2\0")
    (tmp_path / "clean").write_bytes(b"nothing")
    assert Leaks({"it": "hunter2-hunter2"}).in_files(tmp_path) == {
        str(tmp_path / "in" / "a.db-wal"): {"it"}
    }
