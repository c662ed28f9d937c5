"""Who may pass."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.errors import ConfigurationError, StorageError, Unauthorized
from stormproof.gateway.keys import Keyring, read_keys


@given(st.text() | st.none())
def test_an_empty_ring_lets_everyone_in(authorization: str | None) -> None:
    """Without keys there is nothing to check."""
    Keyring([]).check(authorization)


@given(st.text())
def test_only_a_known_key_passes(text: str) -> None:
    """Whatever else a header holds, it does not."""
    ring = Keyring(["key-one", "key-two"])
    ring.check("Bearer key-one")
    ring.check("bearer key-two")
    if text.strip() not in {"key-one", "key-two"}:
        with pytest.raises(Unauthorized):
            ring.check(f"Bearer {text}")
    with pytest.raises(Unauthorized):
        ring.check(text)


def test_a_ring_holds_no_key() -> None:
    """What could be dumped is only digests."""
    assert "key-one" not in repr(vars(Keyring(["key-one"])))


def test_a_file_of_keys(tmp_path: Path) -> None:
    """One a line; comments and empty lines are for people."""
    file = tmp_path / "keys"
    file.write_text("# ours\nkey-one\n\n  key-two  \n")
    assert read_keys(file) == ["key-one", "key-two"]


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"\xff\xfe"])
def test_a_file_without_keys_is_a_mistake(tmp_path: Path, content: bytes) -> None:
    """An empty file must not open the server to everyone."""
    file = tmp_path / "keys"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError):
        read_keys(file)


def test_a_missing_file_is_a_storage_error(tmp_path: Path) -> None:
    """The path stays inside."""
    with pytest.raises(StorageError):
        read_keys(tmp_path / "nowhere")
