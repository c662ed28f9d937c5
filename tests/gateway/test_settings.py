"""Flag before environment before file before default."""

from pathlib import Path

import pytest

from stormproof.errors import ConfigurationError, StorageError
from stormproof.gateway import load_settings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("PORT", "HOST", "CONFIG", "API_KEY"):
        monkeypatch.delenv(f"STORMPROOF_{name}", raising=False)


def test_the_nearest_layer_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each layer is seen when the ones above it are silent."""
    assert load_settings({}).port == 8000
    (tmp_path / "stormproof.toml").write_text("[serve]\nport = 1\nhost = '::1'\n")
    assert load_settings({}).port == 1
    monkeypatch.setenv("STORMPROOF_PORT", "2")
    assert load_settings({}).port == 2
    settings = load_settings({"port": "3", "host": None})
    assert settings.port == 3
    assert settings.host == "::1"


def test_a_file_may_be_named_by_flag_or_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways lead to the same file."""
    file = tmp_path / "other.toml"
    file.write_text("[serve]\nport = 5\n")
    assert load_settings({"config": str(file)}).port == 5
    monkeypatch.setenv("STORMPROOF_CONFIG", str(file))
    assert load_settings({}).port == 5


def test_other_tables_of_the_file_are_not_ours(tmp_path: Path) -> None:
    """The file is shared with other commands."""
    (tmp_path / "stormproof.toml").write_text("[other]\nx = 1\n[serve]\nport = 6\n")
    assert load_settings({}).port == 6


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[serve]\nprot = 1\n", r"prot: .*\(stormproof.toml:2\)"),
        ("[serve]\nhost = 'x'\n\nport = 'many'\n", r"port: .*\(stormproof.toml:4\)"),
        ("[serve]\nport = 'many'\nprot = 1", r"port: .*toml:2\); prot: .*toml:3\)"),
        ("[a]\n[serve\n", "stormproof.toml:2: this is not TOML"),
        ("x = 1\nserve = 3\n", r"must be a table \(stormproof.toml:2\)"),
        ("a = " + "[" * 9999, "nested too deeply"),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, text: str, reason: str) -> None:
    """A misspelt name, a wrong type, broken syntax: each says what it is."""
    (tmp_path / "stormproof.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=reason):
        load_settings({})


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    """The default file may be missing; one that was asked for may not."""
    with pytest.raises(StorageError):
        load_settings({"config": str(tmp_path / "nowhere.toml")})


def test_all_wrong_values_are_named_at_once() -> None:
    """One run, all mistakes."""
    with pytest.raises(ConfigurationError, match=r"port.*block_size") as caught:
        load_settings({"port": "-1", "block_size": "0"})
    assert "--block-size" in str(caught.value)


def test_a_key_never_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in a repr, and not in the error about another field."""
    monkeypatch.setenv("STORMPROOF_API_KEY", "first-key,second-key")
    settings = load_settings({})
    assert [key.get_secret_value() for key in settings.api_key] == ["first-key", "second-key"]
    assert "first-key" not in repr(settings)
    with pytest.raises(ConfigurationError) as caught:
        load_settings({"port": "x"})
    assert "first-key" not in repr(caught.value) + str(caught.value)
