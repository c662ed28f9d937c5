"""The fused operations compute what PyTorch's compute."""

import pytest
import torch

from stormproof.engine.checkpoints.architecture import Activation
from stormproof.engine.pytorch.operations import TorchOperations
from stormproof.engine.pytorch.transformer import Norm

pytest.importorskip("triton")
from stormproof.engine.cuda.operations import TritonOperations

PLAIN, FUSED = TorchOperations(), TritonOperations()


def norm(width: int, *, bias: bool = False) -> Norm:
    return Norm(torch.rand(width) + 0.5, torch.randn(width) if bias else None, 1e-5)


def on(device: torch.device, made: Norm) -> Norm:
    bias = None if made.bias is None else made.bias.to(device)
    return Norm(made.weight.to(device), bias, made.eps)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(3)


@pytest.mark.parametrize("bias", [False, True], ids=["rms", "layer"])
def test_norm(device: torch.device, bias: bool) -> None:
    """The width is no power of two, as in most models; a head's norm has three dimensions."""
    for rows in (torch.randn(3, 72), torch.randn(2, 3, 24)):
        made = norm(rows.shape[-1], bias=bias)
        got = FUSED.norm(rows.to(device), on(device, made))
        torch.testing.assert_close(got.cpu(), PLAIN.norm(rows, made))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_add_norm(device: torch.device, dtype: torch.dtype) -> None:
    """What is normalised is the sum as it was rounded, for that is what the next layer adds to."""
    rows, change, made = torch.randn(3, 72).to(dtype), torch.randn(3, 72).to(dtype), norm(72)
    got = FUSED.add_norm(rows.to(device), change.to(device), on(device, made))
    expected = PLAIN.add_norm(rows, change, made)
    assert torch.equal(got[0].cpu(), expected[0])
    torch.testing.assert_close(got[1].cpu(), expected[1])


@pytest.mark.parametrize("normed", [False, True])
def test_turn(device: torch.device, normed: bool) -> None:
    """Heads are part of a wider row, as queries and keys come out of one projection."""
    heads, made = torch.randn(3, 8, 24), norm(24) if normed else None
    angles = torch.randn(3, 1, 12)
    turn = angles.cos(), angles.sin()
    got = FUSED.turn(
        heads.to(device)[:, 2:5],
        on(device, made) if made else None,
        (turn[0].to(device), turn[1].to(device)),
    )
    torch.testing.assert_close(got.cpu(), PLAIN.turn(heads[:, 2:5], made, turn))


@pytest.mark.parametrize("activation", Activation)
def test_gate(device: torch.device, activation: Activation) -> None:
    gate_up = torch.randn(3, 2 * 1100)
    got = FUSED.gate(gate_up.to(device), activation)
    torch.testing.assert_close(got.cpu(), PLAIN.gate(gate_up, activation))
