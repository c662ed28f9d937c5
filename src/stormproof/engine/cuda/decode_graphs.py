"""Steps in which every sequence decodes, replayed as one CUDA graph.

Launching the kernels of a small model takes the host longer than the GPU needs to run them. A graph
launches them all at once, but always the same ones over the same memory: batches are filled up to
one of a few shapes, and their integers are copied to where the graph reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from stormproof.engine.cuda.paged_batch import on_device

if TYPE_CHECKING:
    from collections.abc import Callable

    from stormproof.engine.cuda.paged_batch import Layout, PagedBatch

MOST_SEQUENCES: Final = 256
"""Where a step has more, the host is not what it waits for."""


@dataclass(frozen=True, slots=True)
class _Graph:
    graph: torch.cuda.CUDAGraph
    integers: torch.Tensor
    rows: torch.Tensor


class DecodeGraphs:
    """Computes layouts of a shape that comes again; the first time each kernel by itself.

    Args:
        compute: Runs a batch on the device, up to the last layer.
        device: The GPU.
    """

    def __init__(self, compute: Callable[[PagedBatch], torch.Tensor], device: torch.device) -> None:
        self._compute = compute
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()  # one is replayed at a time, so they share it
        self._graphs: dict[tuple[int, ...], _Graph | None] = {}

    def __call__(self, layout: Layout) -> torch.Tensor:
        """The rows of the last layer [rows, hidden], which the next call overwrites."""
        shape = (layout.splits, *map(len, layout.lists))
        if shape not in self._graphs:  # kernels are compiled, and libraries set up, outside of it
            self._graphs[shape] = None
            return self._compute(layout.batch(on_device(layout.flat(), self._device)))
        graph = self._graphs[shape] or self._capture(layout)
        self._graphs[shape] = graph
        graph.integers.copy_(layout.flat().pin_memory(), non_blocking=True)
        graph.graph.replay()
        return graph.rows

    def _capture(self, layout: Layout) -> _Graph:
        graph = torch.cuda.CUDAGraph()
        integers = on_device(layout.flat(), self._device)
        # Other threads, such as NCCL's, may go on calling CUDA.
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            rows = self._compute(layout.batch(integers))
        return _Graph(graph, integers, rows)
