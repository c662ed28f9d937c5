"""pip's configuration is read where pip reads it, and a broken one is left to pip."""

import os
from pathlib import Path

import pytest

from stormproof.weights.pip_settings import pip_setting


@pytest.fixture
def user_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where pip keeps the user's configuration."""
    monkeypatch.delenv("PIP_CONFIG_FILE")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / "config" / "pip" / "pip.conf"
    file.parent.mkdir(parents=True)
    return file


def test_the_users_file_is_read(user_file: Path) -> None:
    user_file.write_text(
        "[install]\nno-x = 1\n[global]\ntimeout = 60\nx-url = https://a.test/%41\n"
    )
    assert pip_setting("x-url") == "https://a.test/%41"


def test_a_named_file_wins_over_the_users(
    user_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_file.write_text("[global]\nx-url = user\ny-url = user\n")
    named = tmp_path / "named.conf"
    named.write_text("[global]\nx-url = named\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(named))
    assert (pip_setting("x-url"), pip_setting("y-url")) == ("named", "user")


def test_the_null_device_means_no_configuration(
    user_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_file.write_text("[global]\nx-url = user\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert pip_setting("x-url") is None


@pytest.mark.parametrize(
    "content", [b"x-url = 1", b"[global\n", b"\xff\xfe\x00", b"[global]\nx-url =\n"]
)
def test_a_file_that_says_nothing(user_file: Path, content: bytes) -> None:
    """A broken or empty setting is no setting."""
    user_file.write_bytes(content)
    assert pip_setting("x-url") is None
