"""The gate of an MLP: a nonlinearity and a product in one pass."""

from __future__ import annotations

from typing import Final

import torch
import triton
import triton.language as tl

from stormproof.engine.checkpoints.architecture import Activation

_BLOCK: Final = 1024


def gate_rows(gate_up: torch.Tensor, activation: Activation) -> torch.Tensor:
    """``activation(gate) * up``: [rows, width], of [rows, 2 * width]."""
    rows, width = gate_up.shape[0], gate_up.shape[1] // 2
    out = torch.empty((rows, width), device=gate_up.device, dtype=gate_up.dtype)
    _gate_kernel[(rows, triton.cdiv(width, _BLOCK))](
        gate_up, out, width, SILU=activation is Activation.SILU, BLOCK=_BLOCK
    )
    return out


@triton.jit
def _gate_kernel(gate_up, out, width, SILU: tl.constexpr, BLOCK: tl.constexpr):
    """A piece of a row per program."""
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = column < width
    place = gate_up + row * 2 * width + column
    gate = tl.load(place, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(place + width, mask=inside, other=0.0).to(tl.float32)
    # GELU's tanh(x) is 2 sigmoid(2x) - 1, so that (1 + tanh(x)) / 2 is sigmoid(2x).
    slope = gate if SILU else 1.5957691216 * (gate + 0.044715 * gate * gate * gate)
    out_place = out + row * width + column
    tl.store(out_place, (gate * tl.sigmoid(slope) * up).to(out.dtype.element_ty), mask=inside)
