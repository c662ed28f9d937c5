"""RMSNorm and LayerNorm in one pass, with what is added to the rows before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl

if TYPE_CHECKING:
    from stormproof.engine.pytorch.transformer import Norm


def norm_rows(rows: torch.Tensor, norm: Norm) -> torch.Tensor:
    """Normalises the last dimension."""
    out = torch.empty_like(rows, memory_format=torch.contiguous_format)
    _launch(rows, None, norm, None, out)
    return out


def add_norm_rows(
    rows: torch.Tensor, change: torch.Tensor, norm: Norm
) -> tuple[torch.Tensor, torch.Tensor]:
    """Adds a change to rows [rows, width]; returns the sum, and the sum normalised."""
    total, out = torch.empty_like(rows), torch.empty_like(rows)
    _launch(rows, change, norm, total, out)
    return total, out


def _launch(
    rows: torch.Tensor,
    change: torch.Tensor | None,
    norm: Norm,
    total: torch.Tensor | None,
    out: torch.Tensor,
) -> None:
    width = rows.shape[-1]
    flat = rows.contiguous().view(-1, width)
    block = triton.next_power_of_2(width)
    _norm_kernel[(len(flat),)](
        flat,
        change,
        norm.weight,
        norm.bias,
        total,
        out,
        norm.eps,
        width,
        BLOCK=block,
        num_warps=min(16, max(1, block // 512)),
    )


@triton.jit
def _norm_kernel(rows, change, weight, bias, total, out, eps, width, BLOCK: tl.constexpr):
    """One row per program. ``change``, ``total`` and ``bias`` may be None."""
    column = tl.arange(0, BLOCK)
    inside = column < width
    place = tl.program_id(0).to(tl.int64) * width + column
    row = tl.load(rows + place, mask=inside, other=0.0).to(tl.float32)
    if change is not None:
        row += tl.load(change + place, mask=inside, other=0.0).to(tl.float32)
        rounded = row.to(total.dtype.element_ty)
        tl.store(total + place, rounded, mask=inside)
        row = rounded.to(tl.float32)
    if bias is not None:
        row = tl.where(inside, row - tl.sum(row, 0) / width, 0.0)
    scale = 1.0 / tl.sqrt(tl.sum(row * row, 0) / width + eps)
    row = row * scale * tl.load(weight + column, mask=inside, other=0.0)
    if bias is not None:
        row += tl.load(bias + column, mask=inside, other=0.0)
    tl.store(out + place, row.to(out.dtype.element_ty), mask=inside)
