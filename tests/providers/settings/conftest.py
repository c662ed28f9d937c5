"""What tests of the settings share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stormproof.providers.settings.reading import read_models
from stormproof.providers.settings.schema import ModelsFile


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], ModelsFile]:
    """Reads a text as the settings."""

    def reading(text: str) -> ModelsFile:
        file = tmp_path / "stormproof.toml"
        file.write_text(text, "utf-8")
        return read_models(file)

    return reading
