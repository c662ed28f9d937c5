"""A model shared by several processes, of which the first is asked and the others follow.

Each has a part of every layer (`stormproof.engine.pytorch.shard`). They meet in the collective
operations of `torch.distributed`: NCCL between GPUs, Gloo between CPUs. Batches reach the others
over pipes.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from datetime import timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import distributed
from torch.distributed import TCPStore  # type: ignore[attr-defined] # it is documented

from stormproof.engine.pytorch.forward import DeviceLost, Forward
from stormproof.engine.pytorch.runner import TorchRunner, device_of, dtype_of, load_forward
from stormproof.engine.pytorch.shard import Shard
from stormproof.errors import ConfigurationError, ModelLoadError, StormproofError, translate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

    from stormproof.engine.checkpoints.checkpoint import Checkpoint
    from stormproof.engine.checkpoints.loading import Progress
    from stormproof.engine.scheduling.batch import StepBatch
    from stormproof.engine.settings import EngineConfig

_HOST: Final = "127.0.0.1"
_PATIENCE: Final = timedelta(seconds=60)
"""How long a process waits for the others in a step, or to meet them."""


class ParallelForward:
    """Has all processes read each batch; see `Forward`.

    Args:
        forward: This process's part.
        others: Pipes to the other processes.
    """

    def __init__(self, forward: Forward, others: Sequence[Connection]) -> None:
        self._forward = forward
        self._others = others

    def __call__(self, batch: StepBatch, counts: Sequence[int]) -> torch.Tensor:
        """See `Forward`.

        Raises:
            DeviceLost: A process failed. The others may wait for it anywhere in the step, so
                nothing that comes later would fit together.
        """
        try:
            for other in self._others:
                other.send((batch, counts))
            return self._forward(batch, counts)
        except Exception as error:
            raise DeviceLost(f"tensor parallelism: {type(error).__name__}") from error

    def close(self) -> None:
        """Leave the others, which end."""
        for other in self._others:
            other.close()
        distributed.destroy_process_group()


def parallel_runner(
    checkpoint: Checkpoint,
    config: EngineConfig,
    *,
    num_blocks: int,
    progress: Progress | None = None,
) -> TorchRunner:
    """Loads a model into several processes, this one and children of it.

    Args:
        checkpoint: The model that the settings name.
        config: The settings.
        num_blocks: Blocks in the cache, of which each process has its heads' part.
        progress: Told the fraction that is loaded here.

    Raises:
        ConfigurationError: The model cannot be shared out so, or there are too few GPUs.
        ModelLoadError: It is damaged, or a process died over it.
        OutOfMemory: It and its cache do not fit.
    """
    device = device_of(config.device)
    if device.type == "cuda" and torch.cuda.device_count() < config.tensor_parallel:
        reason = f"there are {torch.cuda.device_count()} GPUs"
        raise ConfigurationError(setting="tensor_parallel", reason=reason)
    store = TCPStore(_HOST, 0, is_master=True, timeout=_PATIENCE, wait_for_workers=False)
    others = [
        _started(config, rank, num_blocks, store.port) for rank in range(1, config.tensor_parallel)
    ]
    shard = Shard(0, config.tensor_parallel)
    forward = _loaded(checkpoint, config, shard, num_blocks, progress)
    for other in others:
        await_ready(other, Path(config.model).name)
    _join(store, shard, device)
    return TorchRunner(checkpoint.config, ParallelForward(forward, others), device)


def _started(config: EngineConfig, rank: int, num_blocks: int, port: int) -> Connection:
    """Starts another process; returns a pipe to it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    context.Process(
        target=follow,
        args=(theirs, config, rank, num_blocks, port),
        name=f"stormproof-rank-{rank}",
        daemon=True,
    ).start()
    theirs.close()
    return ours


def await_ready(other: Connection, model: str) -> None:
    """Waits until a process has loaded its part.

    Args:
        other: A pipe to it.
        model: What errors call the model.

    Raises:
        StormproofError: What it could not load it for.
        ModelLoadError: It died.
    """
    try:
        problem: StormproofError | None = other.recv()
    except (EOFError, OSError) as error:
        raise ModelLoadError(model=model, reason="a process died while it loaded") from error
    if problem:
        raise problem


def _join(store: TCPStore, shard: Shard, device: torch.device) -> None:
    """Meets the other processes."""
    distributed.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        store=store,
        rank=shard.rank,
        world_size=shard.count,
        timeout=_PATIENCE,
    )


def _loaded(
    checkpoint: Checkpoint,
    config: EngineConfig,
    shard: Shard,
    num_blocks: int,
    progress: Progress | None = None,
) -> Forward:
    device = device_of(config.device)
    if device.type == "cuda":
        device = torch.device("cuda", shard.rank)
        torch.cuda.set_device(device)
    if config.threads:
        torch.set_num_threads(config.threads)
    return load_forward(
        checkpoint,
        name=Path(config.model).name,
        num_blocks=num_blocks,
        block_size=config.block_size,
        device=device,
        dtype=dtype_of(config.dtype, device),
        shard=shard,
        progress=progress,
    )


def follow(leader: Connection, config: EngineConfig, rank: int, num_blocks: int, port: int) -> None:
    """Computes one part of every batch, in a process of its own, until the leader is gone.

    Args:
        leader: A pipe to it.
        config: The settings.
        rank: Which part, from 1.
        num_blocks: Blocks in the cache.
        port: Where the processes meet.
    """
    from stormproof.engine.start import open_model  # noqa: PLC0415

    shard = Shard(rank, config.tensor_parallel)
    try:
        forward = _loaded(open_model(config), config, shard, num_blocks)
    except Exception as error:  # noqa: BLE001 - the leader raises it
        leader.send(translate(error))
        return
    leader.send(None)
    batches: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_listen, args=(leader, batches), daemon=True).start()
    store = TCPStore(_HOST, port, is_master=False, timeout=_PATIENCE)
    _join(store, shard, device_of(config.device))
    with torch.inference_mode():
        while True:
            forward(*batches.get())


def _listen(leader: Connection, batches: SimpleQueue[Any]) -> None:
    """Passes batches on; ends the process with the leader, wherever in a step it may wait."""
    try:
        while True:
            batches.put(leader.recv())
    except (EOFError, OSError):
        os._exit(0)
