"""The fused operations of a transformer; see `stormproof.engine.pytorch.operations.Operations`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stormproof.engine.cuda.gate import gate_rows
from stormproof.engine.cuda.norm import add_norm_rows, norm_rows
from stormproof.engine.cuda.rotary import turn_heads

if TYPE_CHECKING:
    import torch

    from stormproof.engine.checkpoints.architecture import Activation
    from stormproof.engine.pytorch.operations import Turn
    from stormproof.engine.pytorch.transformer import Norm


class TritonOperations:
    """Each operation is one kernel."""

    def norm(self, rows: torch.Tensor, norm: Norm) -> torch.Tensor:
        """See `Operations`."""
        return norm_rows(rows, norm)

    def add_norm(
        self, rows: torch.Tensor, change: torch.Tensor, norm: Norm
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See `Operations`."""
        return add_norm_rows(rows, change, norm)

    def turn(self, heads: torch.Tensor, norm: Norm | None, turn: Turn) -> torch.Tensor:
        """See `Operations`."""
        return turn_heads(heads, norm, turn)

    def gate(self, gate_up: torch.Tensor, activation: Activation) -> torch.Tensor:
        """See `Operations`."""
        return gate_rows(gate_up, activation)
