"""Norm and rotary position embedding of all heads of a row, in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl

if TYPE_CHECKING:
    from stormproof.engine.pytorch.operations import Turn
    from stormproof.engine.pytorch.transformer import Norm


def turn_heads(heads: torch.Tensor, norm: Norm | None, turn: Turn) -> torch.Tensor:
    """Normalises heads [rows, heads, head_dim], if there is a norm, and turns them."""
    rows, count, width = heads.shape
    out = torch.empty(heads.shape, device=heads.device, dtype=heads.dtype)
    _turn_kernel[(rows,)](
        heads,
        norm.weight if norm else None,
        *(part.contiguous() for part in turn),
        out,
        norm.eps if norm else 0.0,
        heads.stride(0),
        count,
        width // 2,
        HEADS=triton.next_power_of_2(count),
        HALF=triton.next_power_of_2(width // 2),
    )
    return out


@triton.jit
def _turn_kernel(
    heads,
    weight,
    cos,
    sin,
    out,
    eps,
    stride,
    count,
    half,
    HEADS: tl.constexpr,
    HALF: tl.constexpr,
):
    """One row per program; the heads of a row lie together. ``weight`` may be None."""
    row = tl.program_id(0).to(tl.int64)
    head = tl.arange(0, HEADS)[:, None]
    pair = tl.arange(0, HALF)[None, :]
    inside = (head < count) & (pair < half)
    place = head * 2 * half + pair
    first = tl.load(heads + row * stride + place, mask=inside, other=0.0).to(tl.float32)
    second = tl.load(heads + row * stride + place + half, mask=inside, other=0.0).to(tl.float32)
    if weight is not None:
        squares = tl.sum(first * first + second * second, 1)[:, None]
        scale = 1.0 / tl.sqrt(squares / (2 * half) + eps)
        first *= scale * tl.load(weight + pair, mask=pair < half, other=0.0)
        second *= scale * tl.load(weight + half + pair, mask=pair < half, other=0.0)
    c = tl.load(cos + row * half + pair, mask=pair < half, other=0.0).to(tl.float32)
    s = tl.load(sin + row * half + pair, mask=pair < half, other=0.0).to(tl.float32)
    target = out + row * count * 2 * half + place
    tl.store(target, (first * c - second * s).to(out.dtype.element_ty), mask=inside)
    tl.store(target + half, (second * c + first * s).to(out.dtype.element_ty), mask=inside)
