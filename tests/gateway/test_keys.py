"""Who may pass."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.errors import ConfigurationError, StorageError, Unauthorized
from stormproof.gateway.keys import Keyring, read_keys
from stormproof.reflex import Caller, LimitSettings
from stormproof.reflex.keys import IssuedKeys, Key, KeyScope, digest_of


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


def test_a_key_of_the_settings_has_a_name_that_tells_nothing_of_it() -> None:
    """Its place, for metrics and books."""
    ring = Keyring(["key-one", "key-two"])
    assert ring.check("Bearer key-two") == Caller(key="settings-2")
    assert Keyring([]).check(None) == Caller()


class Book:
    """Holds one key."""

    def __init__(self, key: Key) -> None:
        self._key = key

    def revision(self) -> int:
        return 1

    def keys(self) -> Sequence[Key]:
        return [self._key]


def issued(**fields: object) -> IssuedKeys:
    key = Key("ci", digest_of("sp-one"), created=0.0, tenant="ours", **fields)  # type: ignore[arg-type]
    return IssuedKeys(Book(key), clock=lambda: 100.0)


def test_a_key_that_was_made_here_says_whose_it_is_and_what_he_may_use() -> None:
    """By either header; those of the settings open the server beside it."""
    limits = LimitSettings(concurrency=3)
    ring = Keyring(["key-one"], issued(limits=limits))
    assert ring.check("Bearer sp-one") == Caller("ours", "ci", limits=limits)
    assert ring.check(None, "sp-one").key == "ci"
    assert ring.check("Bearer key-one").key == "settings-1"
    with pytest.raises(Unauthorized, match="not known"):
        ring.check("Bearer sp-two")


@pytest.mark.parametrize(("ended", "reason"), [("expires", "expired"), ("revoked", "revoked")])
def test_a_key_that_is_no_longer_good_is_told_so(ended: str, reason: str) -> None:
    """And the server is open to nobody else for that."""
    ring = Keyring([], issued(**{ended: 50.0}))
    with pytest.raises(Unauthorized, match=f"the key is {reason}"):
        ring.check("Bearer sp-one")
    with pytest.raises(Unauthorized):
        ring.check(None)


def test_a_caller_sees_the_models_that_his_key_opens() -> None:
    """For what it opens them; keys of the settings, and no keys at all, open everything."""
    ring = Keyring(["key-one"], issued(models=("cha*",), scopes=frozenset({KeyScope.CHAT})))
    models = ["chat", "other"]
    issued_key, ours = ring.check("Bearer sp-one"), ring.check("Bearer key-one")
    assert ring.opened(issued_key, KeyScope.CHAT, models) == ["chat"]
    assert ring.opened(issued_key, KeyScope.EMBEDDINGS, models) == []
    assert ring.opened(ours, KeyScope.EMBEDDINGS, models) == models
    assert Keyring([]).opened(Caller(), KeyScope.CHAT, models) == models


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
