"""What tests of the engine share."""

from pathlib import Path

import pytest
import torch

from stormproof.engine.checkpoints.checkpoint import open_checkpoint
from stormproof.engine.tokens.tokenizer import Tokenizer


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Torch's threads spin while they wait: tests that run side by side would starve each other."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tokenizer(model_path: Path) -> Tokenizer:
    """The tokenizer of SmolLM2."""
    return open_checkpoint(model_path).tokenizer()
