"""torch's exceptions, raised by real tensors."""

from collections.abc import Callable

import pytest
import torch

from stormproof.errors import (
    InternalError,
    OutOfMemory,
    StormproofError,
    TensorError,
    translate,
)

Caught = Callable[[Callable[[], object]], StormproofError]


def test_main_memory_that_is_not_there_is_out_of_memory(caught: Caught) -> None:
    """Torch has no class for it, only words."""
    error = caught(lambda: torch.empty(2**52, dtype=torch.uint8))
    assert isinstance(error, OutOfMemory)
    assert error.device == "main"


@pytest.mark.parametrize(
    ("said", "device"),
    [
        ("CUDA out of memory. Tried to allocate 20.00 GiB.", "CUDA"),
        ("MPS backend out of memory (MPS allocated: 1 GB)", "MPS"),
        ("out of memory", "accelerator"),
    ],
)
def test_the_memory_of_an_accelerator_is_named(said: str, device: str) -> None:
    """By the first word of what torch says."""
    error = translate(torch.OutOfMemoryError(said))
    assert isinstance(error, OutOfMemory)
    assert error.device == device


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_real_accelerator_runs_out_of_memory(caught: Caught) -> None:
    """More than any device has."""
    error = caught(lambda: torch.empty(2**46, dtype=torch.uint8, device="cuda"))
    assert isinstance(error, OutOfMemory)
    assert error.device == "CUDA"


def test_a_matrix_without_a_decomposition_is_a_tensor_error(caught: Caught) -> None:
    """A singular one has no inverse."""
    assert type(caught(lambda: torch.linalg.inv(torch.zeros(2, 2)))) is TensorError


def test_shapes_that_do_not_fit_are_a_bug(caught: Caught) -> None:
    """Torch raises a plain RuntimeError, which could be anybody's."""
    assert type(caught(lambda: torch.ones(2, 3) @ torch.ones(2, 3))) is InternalError
