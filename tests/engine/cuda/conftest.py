"""Kernels run on a GPU where there is one, and are interpreted on the CPU elsewhere."""

import pytest
import torch


@pytest.fixture
def device() -> torch.device:
    """Where the kernels run."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
