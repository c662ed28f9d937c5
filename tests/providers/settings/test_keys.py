"""Keys come from the environment or a file, and are shown to nobody."""

from pathlib import Path

import pytest

from stormproof.errors import ConfigurationError, StorageError
from stormproof.providers.settings.keys import provider_key
from stormproof.providers.settings.schema import ProviderSettings

KEY = "sk-" + "k" * 40
BY_NAME = ProviderSettings(key_env="OUR_KEY")


def test_a_key_is_in_the_environment() -> None:
    key = provider_key("house", BY_NAME, {"OUR_KEY": f" {KEY}\n"})
    assert key is not None
    assert key.get_secret_value() == KEY
    assert KEY not in repr(key) + str(key)


def test_a_key_may_be_in_a_file(tmp_path: Path) -> None:
    """Which then counts alone."""
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    both = ProviderSettings(key_env="OUR_KEY", key_file=file)
    key = provider_key("house", both, {"OUR_KEY": "another"})
    assert key is not None
    assert key.get_secret_value() == KEY


def test_some_providers_want_none() -> None:
    assert provider_key("house", ProviderSettings(), {"OUR_KEY": KEY}) is None


@pytest.mark.parametrize("environment", [{}, {"OUR_KEY": ""}, {"OUR_KEY": " \n"}])
def test_one_that_is_missing_is_told_by_its_variable(environment: dict[str, str]) -> None:
    with pytest.raises(
        ConfigurationError, match=r"providers\.house: the variable OUR_KEY holds no"
    ):
        provider_key("house", BY_NAME, environment)


@pytest.mark.parametrize("bad", [f"{KEY}\r\nx: y", f"{KEY} x", f"{KEY}\N{LATIN SMALL LETTER E}é"])
def test_one_that_no_header_can_carry_is_refused_and_not_repeated(bad: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        provider_key("house", BY_NAME, {"OUR_KEY": bad})
    assert "kkkk" not in repr(caught.value) + str(caught.value)


def test_a_file_that_is_not_there_is_told_by_whose_key_it_has(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="read the key of house"):
        provider_key("house", ProviderSettings(key_file=tmp_path / "none"), {})
