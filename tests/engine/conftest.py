"""What tests of the engine share."""

from pathlib import Path

import pytest

from stormproof.engine.checkpoint import open_checkpoint
from stormproof.engine.tokenizer import Tokenizer


@pytest.fixture(scope="session")
def tokenizer(model_path: Path) -> Tokenizer:
    """The tokenizer of SmolLM2."""
    return open_checkpoint(model_path).tokenizer()
