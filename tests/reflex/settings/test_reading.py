"""What ``stormproof.toml`` says of the reflex: everything that is wrong is named, with its line."""

from pathlib import Path

import pytest

from stormproof.errors import ConfigurationError
from stormproof.reflex import OnFailure
from stormproof.reflex.settings import ReflexTables, read_reflex


def read(folder: Path, text: str) -> ReflexTables | None:
    file = folder / "stormproof.toml"
    file.write_text(text)
    return read_reflex(file)


def test_a_file_without_the_table_says_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, '[models.chat]\nrungs = [{ answer = "Hi" }]') is None


def test_an_empty_table_is_one(tmp_path: Path) -> None:
    """Requests are bounded by it."""
    tables = read(tmp_path, "[reflex]")
    assert tables is not None
    assert tables.checks.enabled


def test_a_stage_fails_as_its_table_says(tmp_path: Path) -> None:
    tables = read(tmp_path, '[reflex.validate]\non_failure = "open"')
    assert tables is not None
    assert tables.checks.on_failure is OnFailure.OPEN


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[reflex]\nvaildate = {}", "stormproof.toml:2: there is no such key; did you mean"),
        (
            "[reflex.validate]\nmax_mesages = 3",
            "stormproof.toml:2: there is no such key; did you mean 'max_messages'?",
        ),
        (
            "[reflex.models.gpt.validate]\n\nmax_tols = 3",
            "stormproof.toml:3: there is no such key; did you mean 'max_tools'?",
        ),
        (
            "[reflex.keys.bob.validate]\nmax_depth = 1000",
            "stormproof.toml:2: Input should be less than or equal to 128 (reflex.keys.bob.val",
        ),
        ("[reflex.keys.bob]\nkeys = {}", "stormproof.toml:2: there is no such key"),
        ('[reflex.validate]\nmax_tools = "many"', "stormproof.toml:2: Input should be a valid int"),
        ("reflex = 3", "stormproof.toml:1: Input should be"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, text)
    assert told in str(caught.value)


def test_everything_that_is_wrong_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, "[reflex.validate]\nmax_tools = 0\nmax_messages = 0")
    assert str(caught.value).count("stormproof.toml:") == 2
