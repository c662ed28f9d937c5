"""PyTorch. Most of its errors are plain RuntimeErrors, which nothing tells from a bug of ours."""

from typing import Any, Final

from stormproof.errors.external_errors import NetworkError
from stormproof.errors.platform_errors import ModelError, TensorError
from stormproof.errors.resource_errors import OutOfMemory
from stormproof.errors.root import StormproofError
from stormproof.errors.translate.lookup import Maker, Table, bug
from stormproof.errors.translate.reading import message

_DEVICES: Final = ("CUDA", "HIP", "MPS", "XPU")


def _out_of_memory(exc: Any) -> StormproofError:
    said = message(exc) or ""
    named = (device for device in _DEVICES if said.startswith(device))
    return OutOfMemory(device=next(named, "accelerator"))


def _tensor(reason: str) -> Maker:
    return lambda _: TensorError(reason=reason)


def _compilation_failed(_exc: Any) -> StormproofError:
    return ModelError(reason="a compiled function failed")


def _peers_lost(_exc: Any) -> StormproofError:
    return NetworkError(reason="the processes of a distributed model lost each other")


TABLE: Final[Table] = {
    "torch.OutOfMemoryError": _out_of_memory,
    "torch.AcceleratorError": _tensor("the accelerator failed"),
    "torch.CudaError": _tensor("the accelerator failed"),
    "torch.DeferredCudaCallError": _tensor("the accelerator failed to start"),
    "torch.FatalError": _tensor("the accelerator failed"),
    "torch._LinAlgError": _tensor("a matrix has no such decomposition"),
    "torch.Error": _compilation_failed,  # torch.jit.Error
    "torch.TracingCheckError": _compilation_failed,
    "torch.DistError": _peers_lost,
    "torch.DistBackendError": _peers_lost,
    "torch.DistNetworkError": _peers_lost,
    "torch.DistStoreError": _peers_lost,
    "torch.QueueEmptyError": bug,
    "torch.ProcessExitedException": bug,
    "torch.ProcessRaisedException": bug,
}
