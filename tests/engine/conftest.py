"""What tests of the engine share."""

import os
from pathlib import Path

import pytest
import torch

from stormproof.engine.checkpoints.checkpoint import open_checkpoint
from stormproof.engine.tokens.tokenizer import Tokenizer

# Kernels for GPUs are interpreted where there is none. Triton reads this when it is imported, and
# tests of other rooms import it with the libraries that they compare with.
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Torch's threads spin while they wait: tests that run side by side would starve each other."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tokenizer(model_path: Path) -> Tokenizer:
    """The tokenizer of SmolLM2."""
    return open_checkpoint(model_path).tokenizer()
