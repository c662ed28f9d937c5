"""What tests of every floor share."""

import os
from pathlib import Path

import pytest

from stormproof.weights import ModelLibrary


@pytest.fixture(scope="session")
def model_path() -> Path:
    """The embedded model: a real one, 135 million parameters, in a GGUF file."""
    given = os.environ.get("STORMPROOF_TEST_MODEL")
    if given:
        return Path(given)
    return ModelLibrary().pull("smollm2")
