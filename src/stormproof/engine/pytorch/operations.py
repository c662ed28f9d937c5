"""What a transformer computes between its matrix products, which a GPU had better fuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

import torch
from torch.nn import functional

from stormproof.engine.checkpoints.architecture import Activation

if TYPE_CHECKING:
    from stormproof.engine.pytorch.transformer import Norm

Turn: TypeAlias = tuple[torch.Tensor, torch.Tensor]
"""Cosine and sine of the angles by which pairs of dimensions turn. Each [rows, 1, head_dim / 2]"""


class Operations(Protocol):
    """The operations, each as one thing to do."""

    def norm(self, rows: torch.Tensor, norm: Norm) -> torch.Tensor:
        """Normalises the last dimension, in float32 whatever the rows are."""
        ...

    def add_norm(
        self, rows: torch.Tensor, change: torch.Tensor, norm: Norm
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Adds a change to rows [rows, width]; returns the sum, and the sum normalised."""
        ...

    def turn(self, heads: torch.Tensor, norm: Norm | None, turn: Turn) -> torch.Tensor:
        """Normalises heads, if there is a norm, and turns them by their positions (RoPE).

        The two dimensions of a pair lie half a head apart. [rows, heads, head_dim], as given.
        """
        ...

    def gate(self, gate_up: torch.Tensor, activation: Activation) -> torch.Tensor:
        """``activation(gate) * up``: [rows, width], of [rows, 2 * width]."""
        ...


class TorchOperations:
    """The operations as PyTorch has them, for any device."""

    def norm(self, rows: torch.Tensor, norm: Norm) -> torch.Tensor:
        """See `Operations`."""
        wide = rows.float()
        if norm.bias is not None:
            wide = wide - wide.mean(-1, keepdim=True)
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + norm.eps)
        wide = wide * scale * norm.weight
        return (wide if norm.bias is None else wide + norm.bias).to(rows.dtype)

    def add_norm(
        self, rows: torch.Tensor, change: torch.Tensor, norm: Norm
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See `Operations`."""
        rows = rows + change
        return rows, self.norm(rows, norm)

    def turn(self, heads: torch.Tensor, norm: Norm | None, turn: Turn) -> torch.Tensor:
        """See `Operations`."""
        cos, sin = turn
        first, second = (self.norm(heads, norm) if norm else heads).chunk(2, -1)
        return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)

    def gate(self, gate_up: torch.Tensor, activation: Activation) -> torch.Tensor:
        """See `Operations`."""
        gate, up = gate_up.chunk(2, -1)
        return activate(gate, activation) * up


def activate(rows: torch.Tensor, activation: Activation) -> torch.Tensor:
    """Applies a nonlinearity."""
    match activation:
        case Activation.SILU:
            return functional.silu(rows)
        case Activation.GELU_TANH:
            return functional.gelu(rows, approximate="tanh")
